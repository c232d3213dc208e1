// Package storetest is the conformance suite of store engines: what a
// store.Store promises, as named tests. Only tests may import it.
package storetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Options are what the suite asks of the store it opens.
type Options struct {
	// Window is how many recent writes to remember; 0 = the engine's default.
	Window int
}

// Opener opens the store kept in dir, or makes one. The suite closes it.
type Opener func(t testing.TB, dir string, o Options) store.Store

// Run runs the suite on the engine that open opens.
func Run(t *testing.T, open Opener) {
	tests := []struct {
		name string
		run  func(*testing.T, Opener)
	}{
		{"LostUpdate", testLostUpdate},
		{"WriteSkew", testWriteSkew},
		{"ConflictIsNamed", testConflictIsNamed},
		{"AbsenceIsRead", testAbsenceIsRead},
		{"Phantom", testPhantom},
		{"ManyReads", testManyReads},
		{"BlindWritesDoNotConflict", testBlindWrites},
		{"ReadOnly", testReadOnly},
		{"ReadYourWrites", testReadYourWrites},
		{"ListMerge", testListMerge},
		{"ListModel", testListModel},
		{"AddCommutes", testAddCommutes},
		{"AddWithSetAndDelete", testAddWithSetAndDelete},
		{"AddRefused", testAddRefused},
		{"AddReadDepends", testAddReadDepends},
		{"TTL", testTTL},
		{"AddKeepsTTL", testAddKeepsTTL},
		{"Isolation", testIsolation},
		{"Quota", testQuota},
		{"SharedQuota", testSharedQuota},
		{"QuotaLastByte", testQuotaLastByte},
		{"UsageModel", testUsageModel},
		{"Drop", testDrop},
		{"Restart", testRestart},
		{"OldSnapshot", testOldSnapshot},
		{"Limits", testLimits},
		{"LargestCommit", testLargestCommit},
		{"LargestValue", testLargestValue},
		{"RecordIsApart", testRecordIsApart},
		{"RecordConflicts", testRecordConflicts},
		{"RecordIsCounted", testRecordIsCounted},
		{"SeveralRecords", testSeveralRecords},
		{"RecordBounds", testRecordBounds},
		{"Stamps", testStamps},
		{"StampRules", testStampRules},
		{"StampConflicts", testStampConflicts},
		{"StampGuessed", testStampGuessed},
		{"StampBounds", testStampBounds},
		{"Parts", testParts},
		{"Areas", testAreas},
		{"Watch", testWatch},
		{"WatchSeesAll", testWatchSeesAll},
		{"Published", testPublished},
		{"Follow", testFollow},
		{"Closed", testClosed},
		{"Linearizable", testLinearizable},
		{"Mixed", testMixed},
		{"Replica", testReplica},
		{"Bank", testBank},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open) })
	}
}

// now is the fixed time of the suite's transactions. It is far ahead of the
// engine's clock, so that only transactions see anything expire.
var now = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// bench is a store under test with the checks the tests are written in.
type bench struct {
	*testing.T
	store.Store
	dir   string
	open  Opener
	o     Options
	space store.Space
	quota store.Quota
	now   time.Time

	mu  sync.Mutex
	txs []*store.Tx // begun, to be closed before the store
}

func newBench(t *testing.T, open Opener, o Options) *bench {
	t.Helper()
	b := &bench{T: t, dir: t.TempDir(), open: open, o: o, space: 7, now: now}
	b.Store = open(t, b.dir, o)
	t.Cleanup(b.close)
	return b
}

// close closes all transactions, then the store.
func (b *bench) close() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, tx := range b.txs {
		tx.Close()
	}
	b.txs = nil
	if err := b.Store.Close(); err != nil {
		b.Errorf("Close: %v", err)
	}
}

// reopen closes the store and opens it again.
func (b *bench) reopen() {
	b.Helper()
	b.close()
	b.Store = b.open(b.T, b.dir, b.o)
}

// begin starts a transaction on the newest snapshot.
func (b *bench) begin() *store.Tx { return b.beginOn(false) }

// beginOn starts one on what is durable, or on what is decided.
func (b *bench) beginOn(latest bool) *store.Tx {
	b.Helper()
	snap, err := b.snapshot(latest)
	b.want("snapshot", err, "")
	tx := store.Begin(snap, b.space, b.quota, b.now)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.txs = append(b.txs, tx)
	return tx
}

// commit closes tx and commits its effects.
func (b *bench) commit(tx *store.Tx) error {
	tx.Close()
	_, err := b.Commit(context.Background(), tx.Effects())
	return err
}

// snapshot opens what is durable, or what is decided.
func (b *bench) snapshot(latest bool) (store.Snapshot, error) {
	if latest {
		return b.Latest()
	}
	return b.Snapshot()
}

// settle commits e, in one call or in two.
func (b *bench) settle(e *store.Effects, seal bool) (store.Revision, error) {
	if !seal {
		return b.Commit(context.Background(), e)
	}
	revision, settling, err := b.Seal(context.Background(), e)
	if err != nil {
		return 0, err
	}
	return revision, settling.Wait()
}

// want fails the test unless err has the code; "" is success.
func (b *bench) want(what string, err error, code fault.Code) {
	b.Helper()
	if got := fault.CodeOf(err); got != code {
		b.Fatalf("%s: code %q (%v), want %q", what, got, err, code)
	}
}

// must runs f in a transaction that has to commit.
func (b *bench) must(f func(tx *store.Tx) error) {
	b.Helper()
	b.want("commit", b.try(f), "")
}

// try runs f in a transaction and commits it.
func (b *bench) try(f func(tx *store.Tx) error) error {
	b.Helper()
	tx := b.begin()
	if err := f(tx); err != nil {
		tx.Close()
		return err
	}
	return b.commit(tx)
}

// set writes pairs of key and value.
func (b *bench) set(pairs ...string) {
	b.Helper()
	b.must(func(tx *store.Tx) error {
		for i := 0; i < len(pairs); i += 2 {
			if err := tx.Set([]byte(pairs[i]), []byte(pairs[i+1]), 0); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bench) add(key string, delta int64) error {
	b.Helper()
	return b.try(func(tx *store.Tx) error { return tx.Add([]byte(key), delta) })
}

func (b *bench) delete(key string) {
	b.Helper()
	b.must(func(tx *store.Tx) error { return tx.Delete([]byte(key)) })
}

// absent is what get returns for a key that is not there; no counter is so long.
const absent = "<no such key>"

// get reads key in tx.
func (b *bench) get(tx *store.Tx, key string) string {
	b.Helper()
	data, ok, err := tx.Get([]byte(key))
	if err != nil {
		b.Fatalf("Get(%q): %v", key, err)
	}
	if !ok {
		return absent
	}
	return string(data)
}

// holds checks what a new snapshot has under key.
func (b *bench) holds(key, want string) {
	b.Helper()
	if got := b.get(b.begin(), key); got != want {
		b.Fatalf("%q holds %q, want %q", key, got, want)
	}
}

// list returns "key=value" for each key of q in tx.
func (b *bench) list(tx *store.Tx, q store.Query) []string {
	b.Helper()
	var got []string
	err := tx.List(q, func(key, data []byte) bool {
		got = append(got, string(key)+"="+string(data))
		return true
	})
	if err != nil {
		b.Fatalf("List: %v", err)
	}
	return got
}

func (b *bench) lists(tx *store.Tx, q store.Query, want ...string) {
	b.Helper()
	if diff := cmp.Diff(want, b.list(tx, q)); diff != "" {
		b.Fatalf("List(%+v) (-want +got):\n%s", q, diff)
	}
}

func (b *bench) uses(want store.Usage) {
	b.Helper()
	got, err := b.Usage(b.space)
	if err != nil || got != want {
		b.Fatalf("Usage = %+v, %v; want %+v", got, err, want)
	}
}

// counter is the value of a counter at n.
func counter(n int64) string { return string(store.AppendCounter(nil, n)) }
