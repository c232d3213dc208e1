package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// examination finds out what the memory depends on that a guest left.
type examination struct {
	*trial
	world         *world
	took          time.Duration // of the first run
	fresh         string        // why no other instance can start there, without a look at memory
	initial, warm standing
}

// standing is where the instance of the first run stood.
type standing struct {
	image
	draws   int  // how often it had drawn random bytes
	numbers bool // somebody had drawn from the generator of Go's runtime
	sifted  bool // its generators are those that are seeded from random bytes
}

// take notes where the instance of the first run stands.
func (x *examination) take(s *standing, in *Instance) {
	s.memory, s.globals = bytes.Clone(in.memory.Bytes()), in.values(x.artefact.globals)
	s.draws, s.numbers = x.world.draws, x.observer.by[randomNumbers] != ""
}

// judge says for a person why no other instance can start where initialising
// ended, and why none can start where the warm-up requests ended; "" = it can.
func (x *examination) judge(ctx context.Context) (fresh, cold string, err error) {
	accepted := frozen(x.source.Options.Frozen)
	own, err := x.seed(ctx)
	if err != nil {
		return "", "", err
	}
	if own > 0 && !x.observer.ofGo() && accepted&randomNumbers == 0 {
		return unreadable, "", nil
	}
	initial, warm, err := x.blame(ctx, x.sources(own)&^accepted, own)
	if err != nil {
		return "", "", err
	}
	if accepted&randomBytes == 0 {
		initial = initial.with(randomNumbers, x.initial.numbers)
		warm = warm.with(randomNumbers, x.warm.numbers).with(randomBytes, x.warm.draws > x.initial.draws)
	}
	return x.why("what initialising leaves in memory", initial), x.why("what the warm-up requests leave in memory", warm), nil
}

// unreadable is why instances of a program in Go are not put back whose table of
// functions this host cannot read.
const unreadable = "it is a program in Go whose functions this host cannot tell apart, so that nobody knows whether it draws random numbers while it initialises; " +
	"build it with Go 1.24 to 1.27, update the host, or accept that with frozen = [\"random\"] in the manifest"

// sources returns what is shifted: what the program read in the first run. A seed of Go's runtime is not the program's.
func (x *examination) sources(own int) source {
	used := x.world.used
	if x.world.draws <= own {
		used &^= randomBytes
	}
	return used.with(monotonicClock, x.world.readings > manyReadings)
}

// blame returns on which of the sources it depends where initialising ended, and
// where the warm-up requests did.
func (x *examination) blame(ctx context.Context, sources source, own int) (initial, warm source, err error) {
	for by := range shifts {
		if sources == 0 {
			break
		}
		i, w, err := x.differs(ctx, sources, by, own)
		if err != nil {
			return 0, 0, err
		}
		if !i && !w {
			continue
		}
		for s := wallClock; s <= randomBytes; s <<= 1 {
			if sources&s == 0 {
				continue
			}
			one, oneWarm, err := x.differs(ctx, s, by, own)
			if err != nil {
				return 0, 0, err
			}
			initial, warm = initial.with(s, one), warm.with(s, oneWarm)
		}
		// What only differs with all of them depends on each.
		initial, warm = initial.with(sources, i && initial == 0), warm.with(sources, w && warm == 0)
		if initial != 0 {
			break // nothing can start from there, nor from what follows
		}
	}
	return initial, warm, nil
}

// seed finds the generators that are seeded from random bytes, and returns how
// many of the first draws are the seed of Go's runtime. That seed is not shifted
// later, for the layout of each map depends on it.
func (x *examination) seed(ctx context.Context) (own int, err error) {
	x.initial.seeds, x.warm.seeds = generators(x.initial.memory), generators(x.warm.memory)
	if len(x.initial.seeds) == 0 || x.world.draws == 0 {
		x.initial.seeds, x.warm.seeds = nil, nil
		return 0, nil
	}
	err = x.again(ctx, func() *world { return x.origin.world(randomBytes, 0, 0) },
		func(in *Instance) { x.initial.sift(in.memory.Bytes()) },
		func(in *Instance) { x.warm.sift(in.memory.Bytes()) })
	switch {
	case err != nil:
		return 0, err
	case !x.initial.sifted, x.warm.memory != nil && !x.warm.sifted:
		return 0, errUnexamined
	case len(x.initial.seeds) >= goGenerators:
		own = 1
	}
	return own, nil
}

// sift keeps the generators that have other seeds in a run with other random
// bytes, whose memory is given, and notes the numbers after them that differ
// too.
func (s *standing) sift(memory []byte) {
	fixed, elsewhere := map[[seedBytes]byte]bool{}, map[uint32]bool{}
	for _, at := range generators(memory) {
		fixed[[seedBytes]byte(memory[at:])], elsewhere[at] = true, true
	}
	s.sifted = true
	s.seeds = slices.DeleteFunc(s.seeds, func(at uint32) bool { return fixed[[seedBytes]byte(s.memory[at:])] })
	for _, at := range s.seeds {
		here, ok := cheap(s.memory, at)
		there, also := cheap(memory, at)
		if ok && also && elsewhere[at] && here != there {
			s.cheap = append(s.cheap, at+cheapAt)
		}
	}
}

// errUnexamined says that the guest did not come to an end in another run, so
// that nothing is known of what it left in the first one.
var errUnexamined = errors.New("unexamined")

// unexamined is why instances of such a guest are not put back.
const unexamined = "it does not initialise at another time or with other random bytes, or takes too long, so that nobody knows what of its memory depends on them"

// again runs the guest once more. An error of the guest's own did not end the
// first run, and is none. Where the time is up, the machine may be loaded: the
// guest gets as much as any that is deployed, and is unexamined if that is not
// enough either.
func (x *examination) again(ctx context.Context, w func() *world, initialised, warm func(*Instance)) error {
	err := x.run(ctx, w(), initialised, warm)
	if fault.CodeOf(err) == fault.Deadline && ctx.Err() == nil {
		limit := x.limit
		defer func() { x.limit = limit }()
		x.limit = max(limit, x.origin.patience)
		err = x.run(ctx, w(), initialised, warm)
	}
	switch code := fault.CodeOf(err); {
	case code == fault.Trap, code == fault.BadReply:
		return nil
	case code == fault.Deadline && ctx.Err() == nil:
		return errUnexamined
	}
	return err
}

// differs runs the guest with sources shifted and reports whether it stands
// elsewhere than in the first run. One that ends in another way does.
func (x *examination) differs(ctx context.Context, sources source, by int, own int) (initial, warm bool, err error) {
	initial, warm = true, x.warm.memory != nil
	err = x.again(ctx, func() *world { return x.origin.world(sources, by, own) },
		func(in *Instance) { initial = x.elsewhere(&x.initial.image, in) },
		func(in *Instance) { warm = x.elsewhere(&x.warm.image, in) })
	return initial, warm, err
}

// elsewhere compares an instance with a state, but for the states of generators,
// which get other seeds.
func (x *examination) elsewhere(s *image, in *Instance) bool {
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
