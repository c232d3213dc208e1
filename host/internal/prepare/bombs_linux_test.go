package prepare_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Build implements engine.Engine. What a module says that does harm only runs
// in a process of its own.
func (b *builder) Build(ctx context.Context, module []byte, o engine.Options, dir string) error {
	if bomb, ok := bombs[said(module)]; ok {
		return bomb(ctx, dir)
	}
	code := "code of " + said(module)
	if said(module) == "options, args_get" {
		code = fmt.Sprintf("%+v", o)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "meta"), []byte("meta"), 0o644),
		os.Mkdir(filepath.Join(dir, "cache"), 0o755),
		os.WriteFile(filepath.Join(dir, "cache", "code"), []byte(code), 0o644),
	)
}

// hoard keeps memory from being collected.
var hoard [][]byte

var bombs = map[string]func(ctx context.Context, dir string) error{
	"refuse": func(context.Context, string) error { return fault.New(fault.Trap, "prepare", "the guest trapped") },
	"panic":  func(context.Context, string) error { panic("a bug of the compiler") },
	"crash": func(context.Context, string) error {
		m := map[int]int{}
		for range 8 {
			go func() {
				for i := 0; ; i++ {
					m[i&1] = i // the runtime notices, and ends the process
				}
			}()
		}
		select {}
	},
	"no memory": func(context.Context, string) error {
		panic(fmt.Errorf("map: %w", syscall.ENOMEM)) // as the compiler does
	},
	"heap": func(context.Context, string) error {
		for {
			hoard = append(hoard, bytes.Repeat([]byte{1}, 1<<20))
		}
	},
	"map": func(_ context.Context, dir string) error { return mapForever(dir) },
	"spin": func(context.Context, string) error {
		for i := 0; ; i++ {
			if i < 0 {
				return nil
			}
			i &= 1 << 20
		}
	},
	"sleep": func(ctx context.Context, dir string) error {
		pid := []byte(strconv.Itoa(os.Getpid()))
		if err := errors.Join(os.WriteFile(dir+"/.pid", pid, 0o600), os.Rename(dir+"/.pid", dir+"/pid")); err != nil {
			return err
		}
		<-time.After(time.Hour)
		return ctx.Err()
	},
	"file": func(_ context.Context, dir string) error {
		return os.WriteFile(dir+"/large", make([]byte, 2<<20), 0o600)
	},
	"files": func(_ context.Context, dir string) error {
		for i := range 3 {
			if err := os.WriteFile(fmt.Sprintf("%s/%d", dir, i), make([]byte, 1<<19), 0o600); err != nil {
				return err
			}
		}
		return nil
	},
	"many": func(_ context.Context, dir string) error {
		for i := range 1000 {
			if err := os.WriteFile(fmt.Sprintf("%s/%d", dir, i), nil, 0o600); err != nil {
				return err
			}
		}
		return nil
	},
	"kill": func(context.Context, string) error {
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			return err
		}
		_ = self.Kill()
		select {}
	},
	"shout": func(context.Context, string) error {
		return fault.Wrap(fault.Invalid, "prepare", strings.Repeat("A\x1b\xff", 1<<20), errors.New(strings.Repeat("\x1b\"", 1<<20)))
	},
	"log": func(context.Context, string) error {
		for range 1 << 8 {
			_, _ = os.Stderr.Write(make([]byte, 1<<16))
		}
		panic(fault.New(fault.Internal, "prepare", "the build broke down"))
	},
}

// fullOptions returns options that have something in every field.
func fullOptions(t *testing.T) engine.Options {
	t.Helper()
	var o engine.Options
	fill(reflect.ValueOf(&o).Elem())
	o.Note, o.Owner, o.Awaited, o.Function = nil, "", false, 0 // for the host alone
	return o
}

// fill puts something into every field of v; one that it cannot set is one that
// JSON cannot either.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(field)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Func, reflect.Interface, reflect.Pointer:
	default:
		v.Set(reflect.ValueOf(7).Convert(v.Type()))
	}
}
