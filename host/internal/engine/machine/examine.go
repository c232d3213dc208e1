package machine

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// examination finds out what the memory depends on that a guest left.
type examination struct {
	*trial
	globals       int // that are put back
	world         *world
	initial, warm standing
}

// standing is where the instance of the first run stood.
type standing struct {
	state
	draws   int  // how often it had drawn random bytes
	numbers bool // somebody had drawn from the generator of Go's runtime
}

// take notes where the instance of the first run stands.
func (x *examination) take(s *standing, in *Instance) {
	s.memory, s.globals = bytes.Clone(in.memory.Bytes()), in.values(x.globals)
	s.draws, s.numbers = x.world.draws, x.observer.by[randomNumbers] != ""
}

// judge says for a person why no other instance can start where initialising
// ended, and why none can start where the warm-up requests ended; "" = it can.
func (x *examination) judge(ctx context.Context) (fresh, cold string, err error) {
	accepted := frozen(x.source.Options.Frozen)
	shift := x.sources() &^ accepted
	own, err := x.seed(ctx)
	if err != nil {
		return "", "", err
	}
	if own > 0 && !x.observer.ofGo() && accepted&randomNumbers == 0 {
		return unreadable, "", nil
	}
	initial, warm, err := x.differs(ctx, shift, own)
	if err != nil {
		return "", "", err
	}
	var onInitial, onWarm source
	for s := wallClock; s <= randomBytes; s <<= 1 {
		if shift&s == 0 || !initial && !warm {
			continue
		}
		i, w, err := x.differs(ctx, s, own)
		if err != nil {
			return "", "", err
		}
		onInitial, onWarm = onInitial.with(s, i), onWarm.with(s, w)
	}
	if initial && onInitial == 0 {
		onInitial = shift // of each a little
	}
	if warm && onWarm == 0 {
		onWarm = shift
	}
	if accepted&randomBytes == 0 {
		onInitial = onInitial.with(randomNumbers, x.initial.numbers)
		onWarm = onWarm.with(randomNumbers, x.warm.numbers).with(randomBytes, x.warm.draws > x.initial.draws)
	}
	return x.why("what initialising leaves in memory", onInitial), x.why("what the warm-up requests leave in memory", onWarm), nil
}

// unreadable is why instances of a program in Go are not put back whose table of
// functions this host cannot read.
const unreadable = "it is a program in Go whose functions this host cannot tell apart, so that nobody knows whether it draws random numbers while it initialises; " +
	"build it with Go 1.24 to 1.27, update the host, or accept that with frozen = [\"random\"] in the manifest"

// sources returns what is shifted. To a program in Go the monotonic clock shows
// how long it has run, whenever it was started; where it starts, only the runtime
// sees, in what it keeps to measure itself.
func (x *examination) sources() source {
	if x.observer.ofGo() && x.world.readings < manyReadings {
		return wallClock | randomBytes
	}
	return wallClock | monotonicClock | randomBytes
}

// seed finds the generators that are seeded from random bytes, and returns how
// many of the first draws are the seed of Go's runtime. That seed is not shifted
// later, for the layout of each map depends on it.
func (x *examination) seed(ctx context.Context) (own int, err error) {
	x.initial.seeds, x.warm.seeds = generators(x.initial.memory), generators(x.warm.memory)
	if len(x.initial.seeds) == 0 {
		return 0, nil
	}
	fixed := map[[seedBytes]byte]bool{}
	note := func(in *Instance) {
		memory := in.memory.Bytes()
		for _, at := range generators(memory) {
			fixed[[seedBytes]byte(memory[at:])] = true
		}
	}
	if err := notTheGuests(x.run(ctx, x.origin.world(randomBytes, 0, true), note, note)); err != nil {
		return 0, err
	}
	for _, s := range []*standing{&x.initial, &x.warm} {
		s.seeds = slices.DeleteFunc(s.seeds, func(at uint32) bool { return fixed[[seedBytes]byte(s.memory[at:])] })
	}
	if len(x.initial.seeds) >= goGenerators {
		own = 1
	}
	return own, nil
}

// notTheGuests drops the error of a run that the guest ended, which did not end
// the first one.
func notTheGuests(err error) error {
	switch fault.CodeOf(err) {
	case fault.Trap, fault.BadReply:
		return nil
	}
	return err
}

// differs runs the guest with sources shifted and reports whether it stands
// elsewhere than in the first run. One that ends in another way does.
func (x *examination) differs(ctx context.Context, shift source, own int) (initial, warm bool, err error) {
	initial, warm = true, x.warm.memory != nil
	err = x.run(ctx, x.origin.world(shift, own, x.observer.ofGo()),
		func(in *Instance) { initial = x.elsewhere(&x.initial.state, in) },
		func(in *Instance) { warm = x.elsewhere(&x.warm.state, in) })
	return initial, warm, notTheGuests(err)
}

// elsewhere compares an instance with a state, but for the states of generators,
// which get other seeds.
func (x *examination) elsewhere(s *state, in *Instance) bool {
	memory := in.memory.Bytes()
	if len(memory) != len(s.memory) {
		return true
	}
	from := uint32(0)
	for _, at := range s.seeds {
		if !bytes.Equal(s.memory[from:at-bufSize], memory[from:at-bufSize]) {
			return true
		}
		from = at + seedSize
	}
	return !bytes.Equal(s.memory[from:], memory[from:]) || !slices.Equal(s.globals, in.values(len(s.globals)))
}

// why says what depends on sources, and what to do about it.
func (x *examination) why(what string, on source) string {
	if on == 0 {
		return ""
	}
	var list, accept []string
	if on&(wallClock|monotonicClock) != 0 {
		accept = append(accept, strconv.Quote(manifest.FrozenClock))
	}
	if on&(randomBytes|randomNumbers) != 0 {
		accept = append(accept, strconv.Quote(manifest.FrozenRandom))
	}
	for s := wallClock; s <= randomNumbers; s <<= 1 {
		if on&s == 0 {
			continue
		}
		text := "on " + sourceNames[s]
		if by := x.observer.by[s]; by != "" {
			text += fmt.Sprintf(", which %.200s reads,", by)
		}
		list = append(list, text)
	}
	return fmt.Sprintf("%s depends %s and would be the same for every request; do that in the handler, or accept it with frozen = [%s] in the manifest",
		what, strings.Join(list, " and "), strings.Join(accept, ", "))
}
