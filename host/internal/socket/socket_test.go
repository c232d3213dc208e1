package socket_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/socket"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

func TestIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := socket.ID{Revision: store.Revision(rapid.Uint64().Draw(t, "revision")), Index: rapid.Uint16().Draw(t, "index")}
		if got, ok := socket.ParseID(id.String()); !ok || got != id {
			t.Errorf("%s is read as %v, %v", id, got, ok)
		}
	})
	for _, text := range []string{"", "1", "-", "1-", "-1", "1-2-3", "01-2", "1-+2", "1-65536", "18446744073709551616-0", "a-b", " 1-2", "1-2\n"} {
		if id, ok := socket.ParseID(text); ok {
			t.Errorf("%q is read as %v", text, id)
		}
	}
	if a, b := (socket.ID{Revision: 1, Index: 9}), (socket.ID{Revision: 2}); !a.Before(b) || b.Before(a) || a.Before(a) {
		t.Error("the order is wrong")
	}
}

func TestTopics(t *testing.T) {
	for name, want := range map[string]abi.Status{
		"a": abi.OK, "a b/é": abi.OK, strings.Repeat("a", 255): abi.OK,
		"": abi.Invalid, "a\x00": abi.Invalid, "a\n": abi.Invalid, "\xff": abi.Invalid, strings.Repeat("a", 256): abi.Limit,
	} {
		if got := socket.CheckTopic(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

type bench struct {
	t testing.TB
	*badger.Store
}

func (b *bench) commit(f func(part *store.Tx) error) {
	b.t.Helper()
	var tx store.Tx
	tx.Reset(b.Store, 7, store.Quota{}, time.Now())
	defer tx.Close()
	if err := f(socket.Part(&tx, 7)); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.Commit(context.Background(), tx.Effects()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) publish(topic string, sent time.Time, data ...string) {
	b.t.Helper()
	b.commit(func(part *store.Tx) error {
		var err error
		for i, d := range data {
			err = errors.Join(err, socket.Keep(part, topic, uint16(i), &socket.Event{Name: "n", Text: true, Sent: sent.UnixMilli(), Data: []byte(d)}))
		}
		return err
	})
}

func (b *bench) read(topic string, after socket.ID) (all []string, ids []socket.ID, complete bool) {
	b.t.Helper()
	snap, err := b.Snapshot()
	if err != nil {
		b.t.Fatal(err)
	}
	defer snap.Release()
	complete, err = socket.Read(snap, 7, topic, after, func(id socket.ID, e socket.Event) bool {
		if e.Name != "n" || !e.Text {
			b.t.Errorf("read %+v", e)
		}
		all, ids = append(all, string(e.Data)), append(ids, id)
		return true
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return all, ids, complete
}

// TestKept: events lie in the order of their commits, each topic for itself; and whoever
// asks for what was removed is told.
func TestKept(t *testing.T) {
	kv, err := badger.Open(badger.Config{Dir: t.TempDir(), MinFree: -1, Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = kv.Close() }()
	b := &bench{t, kv}
	start := time.UnixMilli(1_000_000)
	for i := range 5 {
		b.publish("a", start.Add(time.Duration(i)*time.Second), fmt.Sprint(2*i), fmt.Sprint(2*i+1))
		b.publish("ab", start, "other")
	}
	all, ids, complete := b.read("a", socket.ID{})
	if got := strings.Join(all, " "); got != "0 1 2 3 4 5 6 7 8 9" || !complete {
		t.Fatalf("read %q, complete %v", got, complete)
	}
	if all, _, complete := b.read("a", ids[6]); strings.Join(all, " ") != "7 8 9" || !complete {
		t.Errorf("after the seventh: %q, complete %v", all, complete)
	}
	snap, _ := kv.Snapshot()
	var topics []string
	_ = socket.Topics(snap, 7, func(topic string) bool { topics = append(topics, topic); return true })
	if strings.Join(topics, " ") != "a ab" {
		t.Errorf("topics %q", topics)
	}
	excess, err := socket.Excess(snap, 7, "a", 4, 100)
	if err != nil || len(excess) != 6 || excess[0] != ids[0] {
		t.Fatalf("beyond 4: %v, %v", excess, err)
	}
	if some, _ := socket.Excess(snap, 7, "a", 4, 2); len(some) != 2 || some[0] != ids[0] {
		t.Errorf("two of them: %v", some)
	}
	old, err := socket.Old(snap, 7, "a", start.Add(2*time.Second), 100)
	if err != nil || len(old) != 4 || old[3] != ids[3] {
		t.Fatalf("older: %v, %v", old, err)
	}
	snap.Release()
	b.commit(func(part *store.Tx) error { return socket.Forget(part, "a", old) })
	for after, want := range map[socket.ID]bool{{}: false, ids[2]: false, ids[3]: true, ids[9]: true} {
		if all, _, complete := b.read("a", after); complete != want || len(all) > 6 {
			t.Errorf("after %v: %q, complete %v", after, all, complete)
		}
	}
	if _, _, complete := b.read("ab", socket.ID{}); !complete {
		t.Error("another topic misses events")
	}
}
