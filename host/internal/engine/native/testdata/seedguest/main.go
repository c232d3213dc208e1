// Seedguest initialises in the way that its test writes into the module, and
// answers three numbers of what it has then.
package main

import (
	crand "crypto/rand"
	"encoding/binary"
	"hash/fnv"
	"hash/maphash"
	"math/rand"
	randv2 "math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
	"unique"
	"unsafe"

	"github.com/wasmoor/wasmoor/sdk"
)

// kind is what the test replaces by the name of a way and spaces.
const kind = "kind????"

var next = func() uint64 { return 0 }

var (
	started time.Time
	maps    []map[int]string
	kept    [][]byte
)

func init() {
	way := strings.TrimSpace(strings.Clone(kind)) // cloned, or the compiler knows better
	kinds[way]()
	sdk.Handle(func(w *sdk.Response, _ *sdk.Request) error {
		if way == "late" {
			kinds["clock"]()
		}
		var answer []byte
		for range 3 {
			answer = binary.LittleEndian.AppendUint64(answer, next())
		}
		_, err := w.Write(answer)
		return err
	})
}

func main() {}

//go:linkname nanotime runtime.nanotime
func nanotime() int64

//go:wasmimport wasi_snapshot_preview1 clock_time_get
//go:noescape
func clockTimeGet(clock int32, precision int64, time unsafe.Pointer) int32

func some(buf []byte) []byte {
	_, _ = crand.Read(buf) // never fails
	return buf
}

var kinds = map[string]func(){
	"late": func() {},

	"clock":   func() { next = rand.New(rand.NewSource(time.Now().UnixNano())).Uint64 },
	"seconds": func() { next = rand.New(rand.NewSource(time.Now().Unix() % 60)).Uint64 },
	"numbers": func() { next = randv2.New(randv2.NewPCG(randv2.Uint64(), 1)).Uint64 },
	"numbers1": func() {
		next = rand.New(rand.NewSource(rand.Int63())).Uint64
	},
	"hash": func() {
		seed := maphash.MakeSeed()
		n := 0
		next = func() uint64 { n++; return maphash.String(seed, strconv.Itoa(n)) }
	},
	"token": func() {
		token := some(make([]byte, 24))
		next = func() uint64 { return binary.LittleEndian.Uint64(token) }
	},
	"bytes": func() {
		var seed [32]byte
		some(seed[:])
		next = randv2.New(randv2.NewChaCha8(seed)).Uint64
	},
	"started": func() {
		started = time.Now()
		next = func() uint64 { return uint64(started.UnixNano()) }
	},
	"jitter": func() {
		var sum uint64
		last := time.Now()
		for range 2000 {
			now := time.Now()
			sum = sum*31 + uint64(now.Sub(last))
			last = now
		}
		next = rand.New(rand.NewSource(int64(sum))).Uint64
	},

	// Two halves folded: inverted, they give the same.
	"fold": func() {
		var b [16]byte
		some(b[:])
		seed := binary.LittleEndian.Uint64(b[:8]) ^ binary.LittleEndian.Uint64(b[8:])
		clear(b[:])
		next = randv2.New(randv2.NewPCG(seed, 0)).Uint64
	},
	"link": func() { next = rand.New(rand.NewSource(nanotime())).Uint64 },
	"import": func() {
		var now int64
		clockTimeGet(1, 1, unsafe.Pointer(&now))
		next = randv2.New(randv2.NewPCG(uint64(now), 1)).Uint64
	},
	"temp": func() {
		_, err := os.CreateTemp("/", "upload-*")
		sum := fnv.New64a()
		_, _ = sum.Write([]byte(err.Error()))
		next = sum.Sum64
	},

	// The case of a select, which Go's runtime draws from another generator.
	"select": func() {
		ready := make(chan struct{})
		close(ready)
		next = func() (n uint64) {
			for range 64 {
				n <<= 1
				select {
				case <-ready:
					n |= 1
				case <-ready:
				}
			}
			return n
		}
	},
	"fixed": func() { next = randv2.New(randv2.NewChaCha8([32]byte{1})).Uint64 },
	"maps": func() {
		for i := range 2000 {
			m := map[int]string{}
			for k := range i % 50 {
				m[k] = strconv.Itoa(k)
			}
			maps = append(maps, m)
		}
		next = randv2.Uint64
	},
	"garbage": func() {
		for i := range 200 {
			kept = append(kept[:i%20], make([]byte, 1<<20))
		}
		runtime.GC()
		next = rand.Uint64
	},
	"waiting": func() {
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				time.Sleep(10 * time.Millisecond)
				_ = unique.Make(strings.Repeat("name", 3))
			})
		}
		group.Wait()
		go func() {
			for range time.Tick(time.Second) {
			}
		}()
		pool := sync.Pool{New: func() any { return new(int) }}
		pool.Put(pool.Get())
		next = randv2.Uint64
	},
}
