package machine

import (
	"context"
	"errors"
	"sync"

	"github.com/tetratelabs/wazero/experimental"

	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// Program is a loaded module, shared by all its instances. Safe for concurrent
// use.
type Program struct {
	code     *code
	leave    func() error // gives the code up
	meta     meta
	names    []byte // of its functions, packed
	calls    []string
	name     string // see engine.Options
	declared bool   // the most memory that instances may have is what the module says
	state    func(*Instance) any
	image    *linear.Image // nil = instances are not put back
	memories *linear.Pool
	closing  sync.Once
}

// Load makes a program of what Build left in dir for the same source, of which
// the module's bytes are not needed. It compiles nothing: code that is missing
// makes the artefact stale. Errors by fault code: Invalid when it is to be built
// again, Unavailable when memory is used up.
func (m *Machine) Load(ctx context.Context, s Source, dir string) (*Program, error) {
	limit, err := linear.Limit(s.Options.Memory)
	if err != nil {
		return nil, err
	}
	a, err := readArtefact(dir, limit)
	if err != nil {
		return nil, err
	}
	code, leave, err := m.code(ctx, a.module, dir)
	if err != nil {
		return nil, err
	}
	p := &Program{code: code, leave: leave, declared: a.Limit < limit, meta: a.meta, names: a.names, calls: s.Calls, name: s.Options.Name, state: s.State}
	if a.Fresh == "" && a.Memory > 0 {
		if p.image, err = linear.NewImage(a.image); err != nil {
			return nil, errors.Join(err, leave())
		}
	}
	p.memories = linear.NewPool(m.memory, a.Limit, p.image)
	return p, nil
}

// Fresh says for a person why instances cannot be put back; "" = they can.
func (p *Program) Fresh() string { return p.meta.Fresh }

// Cold says for a person why warm-up requests were left out; "" = they were not.
func (p *Program) Cold() string { return p.meta.Cold }

// Close releases the program. Instances must have been closed. Closing twice is
// fine.
func (p *Program) Close(context.Context) (err error) {
	p.closing.Do(func() {
		err = p.leave()
		p.memories.Close()
		if p.image != nil {
			p.image.Close()
		}
	})
	return err
}

// Instance makes an instance and, unless it starts from a snapshot, initialises
// it within ctx. Errors are those of engine.Program.
func (p *Program) Instance(ctx context.Context) (*Instance, error) { return p.instance(ctx, nil) }

// instance is Instance in a world of its own; nil = the machine's.
func (p *Program) instance(ctx context.Context, initial invoke.World) (*Instance, error) {
	memory, err := p.memories.New(p.meta.Memory)
	if err != nil {
		return nil, err
	}
	in := &Instance{program: p, memory: memory, functions: newFunctions(p.calls)}
	in.shrink = func() { in.module.Memory().Grow(1) }
	in.call.memory, in.call.guest = memory, &in.Guest
	in.Guest.Program, in.Guest.Initial, in.Guest.Uptime = p.name, initial, p.meta.Uptime
	if p.state != nil {
		in.Guest.State = p.state(in)
	}
	in.call.begin(experimental.WithMemoryAllocator(ctx, memory))
	if err := in.start(&in.call); err != nil {
		failed := in.initFailure(err)
		if in.module != nil {
			_ = in.module.Close(ctx) // the reason it is closed is err
		}
		memory.Free()
		return nil, failed
	}
	in.call.Context = nil
	return in, nil
}
