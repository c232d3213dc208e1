package machine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/tetratelabs/wazero"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// code is a module with its machine code. It has a runtime to itself, with which
// all goes that wazero v1.12.0 keeps beyond a module's end: types of functions,
// and the code of modules that were closed in an unlucky order.
type code struct {
	loading  sync.Once
	cache    wazero.CompilationCache
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	release  func() // gives back what it takes of the plugins' memory; nil = nothing
	err      error  // why it cannot be used

	users int // programs; guarded by codes.mu
}

// codes are those in use, by their modules: programs of the same one share it.
type codes struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]*code
}

// left returns an error if any are in use.
func (c *codes) left() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.all); n > 0 {
		return fault.New(fault.Internal, "close", fmt.Sprintf("the programs of %d modules were not closed", n))
	}
	return nil
}

// use returns the code under a key, which is not loaded if nobody else uses it,
// until leave is called, once.
func (c *codes) use(key [sha256.Size]byte) (used *code, leave func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[[sha256.Size]byte]*code{}
	}
	used = c.all[key]
	if used == nil {
		used = &code{}
		c.all[key] = used
	}
	used.users++
	return used, func() error { return c.leave(key, used) }
}

func (c *codes) leave(key [sha256.Size]byte, used *code) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	used.users--
	if used.users > 0 {
		return nil
	}
	delete(c.all, key)
	return used.close()
}

// close gives everything up. wazero has a finalizer unmap the machine code.
func (c *code) close() error {
	if c.release != nil {
		c.release()
	}
	if c.runtime == nil {
		return nil
	}
	ctx := context.Background()
	return errors.Join(c.runtime.Close(ctx), c.cache.Close(ctx))
}

// code returns a module with its machine code from dir, until leave is called,
// once. It compiles nothing.
func (m *Machine) code(ctx context.Context, module []byte, dir string) (c *code, leave func() error, err error) {
	c, leave = m.loaded.use(sha256.Sum256(module))
	c.loading.Do(func() { c.err = m.load(context.WithoutCancel(ctx), c, module, dir) })
	if c.err != nil {
		return nil, nil, errors.Join(c.err, leave())
	}
	return c, leave, nil
}

// smallCode is up to how many bytes nobody counts a module and its machine code.
const smallCode = 1 << 20

// hold counts a module and its machine code in dir among what plugins may have together.
func (m *Machine) hold(module []byte, dir string) (release func(), err error) {
	size := int64(len(module))
	files, _ := os.ReadDir(dir) // what is missing is found out when it is read
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			size += info.Size()
		}
	}
	if size <= smallCode {
		return nil, nil
	}
	return m.memory.Hold(int(size))
}

// load loads c. wazero is told to give up when it would compile.
func (m *Machine) load(ctx context.Context, c *code, module []byte, dir string) (err error) {
	if c.release, err = m.hold(module, filepath.Join(dir, codeDir)); err != nil {
		return err
	}
	m.loaded.mu.Lock() // the first cache has wazero note its version, without a lock
	c.cache, err = wazero.NewCompilationCacheWithDir(filepath.Join(dir, codeDir))
	m.loaded.mu.Unlock()
	if err != nil {
		return stale(err)
	}
	c.runtime = wazero.NewRuntimeWithConfig(ctx, compiling().WithCompilationCache(c.cache))
	if err := link(ctx, c.runtime, m.functions); err != nil {
		return fault.Wrap(fault.Internal, "engine", "the engine cannot start", err)
	}
	c.compiled, err = Compile(ctx, func(ctx context.Context) (wazero.CompiledModule, error) {
		return c.runtime.CompileModule(cancelled(ctx), module)
	})
	if err != nil {
		return stale(err)
	}
	return nil
}
