// Package ship sends what a store commits to a bucket while it serves, and brings it
// back: for a restore to a time, and for a standby that follows.
//
// A place holds generations, each the work of one server from a claim on: bases, which
// are a whole store, and segments, which take it from one revision to a later one and
// form a chain. Modules lie next to them by digest. A newer claim ends the older one:
// whoever finds it stops.
//
//	epochs/EPOCH-ID                  the claim
//	gen/EPOCH-ID/alive               when its server was there last, and up to where
//	gen/EPOCH-ID/base-SEQ-REV-TIME   the store before segment SEQ
//	gen/EPOCH-ID/seg/SEQ             what was committed then
//	modules/HEX                      a module
//	blobs/XX/HEX                     the bytes of a blob
//	gone/XX/HEX                      an empty mark: its time is when the bytes were first found to be gone from the server
package ship

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

const (
	epochsPrefix  = "epochs/"
	gensPrefix    = "gen/"
	modulesPrefix = "modules/"
	maxSmall      = 64 << 10 // bytes of a claim, of alive

	epochDigits = 12 // of the name of a generation
	idSize      = 6  // bytes of it
	maxEpoch    = 1e12 - 1
)

// Generation names one claim: EPOCH-ID.
type Generation string

// newGeneration returns the name of a claim after all of before.
func newGeneration(epoch uint64) Generation {
	var id [idSize]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return Generation(fmt.Sprintf("%0*d-%x", epochDigits, epoch, id[:]))
}

// parseGeneration reads what newGeneration has written, and nothing else.
func parseGeneration(text string) (Generation, bool) {
	g := Generation(text)
	epoch, id, _ := strings.Cut(text, "-")
	raw, err := hex.DecodeString(id)
	ok := err == nil && len(raw) == idSize && len(epoch) == epochDigits && text == fmt.Sprintf("%0*d-%x", epochDigits, g.epoch(), raw)
	return g, ok
}

func (g Generation) epoch() (n uint64) {
	_, _ = fmt.Sscanf(string(g), "%d-", &n)
	return n
}

func (g Generation) claimKey() string         { return epochsPrefix + string(g) }
func (g Generation) prefix() string           { return gensPrefix + string(g) + "/" }
func (g Generation) aliveKey() string         { return g.prefix() + "alive" }
func (g Generation) basePrefix() string       { return g.prefix() + "base-" }
func (g Generation) segPrefix() string        { return g.prefix() + "seg/" }
func (g Generation) segKey(seq uint64) string { return fmt.Sprintf("%s%012d", g.segPrefix(), seq) }
func (g Generation) baseKey(b Base) string {
	return fmt.Sprintf("%s%012d-%020d-%d", g.basePrefix(), b.Seq, uint64(b.Revision), b.Time.UnixMilli())
}

// Claim is what a server says of itself when it begins a generation.
type Claim struct {
	Generation Generation `json:"generation"`
	Store      string     `json:"store"`  // the id of the store
	Server     string     `json:"server"` // for a person
	Time       time.Time  `json:"time"`
}

// Alive is what a server repeats while it ships.
type Alive struct {
	Time     time.Time      `json:"time"`
	Every    time.Duration  `json:"every"`    // how often it ships, in nanoseconds
	Revision store.Revision `json:"revision"` // all up to it is there
	Through  time.Time      `json:"through"`  // and was committed by then
	Seq      uint64         `json:"seq"`      // of the last segment
}

// Recent reports whether whoever wrote it may still be there.
func (a Alive) Recent(now time.Time) bool {
	return now.Sub(a.Time) < 3*max(a.Every, time.Second)
}

// Base is a whole store in a generation.
type Base struct {
	Generation Generation
	Seq        uint64 // the segment that follows it
	Revision   store.Revision
	Time       time.Time
}

func parseBase(g Generation, key string) (b Base, ok bool) {
	var revision uint64
	var ms int64
	n, err := fmt.Sscanf(strings.TrimPrefix(key, g.basePrefix()), "%d-%d-%d", &b.Seq, &revision, &ms)
	b.Generation, b.Revision, b.Time = g, store.Revision(revision), time.UnixMilli(ms).UTC()
	return b, err == nil && n == 3 && g.baseKey(b) == key
}

// parseSegment reads the key of a segment.
func parseSegment(g Generation, key string) (seq uint64, ok bool) {
	n, err := fmt.Sscanf(strings.TrimPrefix(key, g.segPrefix()), "%d", &seq)
	return seq, err == nil && n == 1 && g.segKey(seq) == key
}

// parseModule reads the key of a module.
func parseModule(key string) (name string, ok bool) {
	name = strings.TrimPrefix(key, modulesPrefix)
	return name, isModule(name)
}

// isModule reports whether name is that of a module: others keep files too.
func isModule(name string) bool {
	d, err := plugin.ParseDigest("sha256:" + name)
	return err == nil && d.Hex() == name
}

// Holds reports whether something was shipped to a bucket.
func Holds(ctx context.Context, b bucket.Bucket) (bool, error) {
	all, err := place{b}.generations(ctx, "")
	return len(all) > 0, err
}

// place is a bucket with what this package keeps there.
type place struct{ bucket.Bucket }

// generations returns the claims, the newest last.
func (p place) generations(ctx context.Context, after string) (all []Generation, err error) {
	for o, err := range p.List(ctx, epochsPrefix, after) {
		if err != nil {
			return nil, err
		}
		if g, ok := parseGeneration(strings.TrimPrefix(o.Key, epochsPrefix)); ok {
			all = append(all, g)
		}
	}
	return all, nil
}

// newest returns the newest claim, nil without one.
func (p place) newest(ctx context.Context) (*Claim, error) {
	all, err := p.generations(ctx, "")
	if err != nil || len(all) == 0 {
		return nil, err
	}
	var c Claim
	err = p.read(ctx, all[len(all)-1].claimKey(), &c)
	return &c, err
}

// next returns a generation after all others.
func (p place) next(ctx context.Context) (Generation, error) {
	all, err := p.generations(ctx, "")
	if err != nil {
		return "", err
	}
	epoch := uint64(1)
	if len(all) > 0 {
		epoch = all[len(all)-1].epoch() + 1
	}
	if epoch > maxEpoch {
		return "", fault.New(fault.Exhausted, "ship commits", fmt.Sprintf("no claim can follow %s in %s; name another place in ship_to", all[len(all)-1], p))
	}
	return newGeneration(epoch), nil
}

// bases returns those of a generation in order.
func (p place) bases(ctx context.Context, g Generation) (all []Base, err error) {
	for o, err := range p.List(ctx, g.basePrefix(), "") {
		if err != nil {
			return nil, err
		}
		if b, ok := parseBase(g, o.Key); ok {
			all = append(all, b)
		}
	}
	return all, nil
}

// alive returns what the server of a generation said last.
func (p place) alive(ctx context.Context, g Generation) (a Alive, err error) {
	err = p.read(ctx, g.aliveKey(), &a)
	if fault.CodeOf(err) == fault.NotFound {
		return a, nil
	}
	return a, err
}

func (p place) write(ctx context.Context, key string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return p.Put(ctx, key, bytes.NewReader(data), int64(len(data)))
}

func (p place) read(ctx context.Context, key string, v any) error {
	in, err := p.Get(ctx, key, 0, maxSmall)
	if err != nil {
		return err
	}
	defer in.Close() // only read
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fault.Wrap(fault.Invalid, "read what was shipped", fmt.Sprintf("%s in %s is damaged", path.Base(key), p), err)
	}
	return nil
}
