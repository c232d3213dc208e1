package queues_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/operate/queues"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/queue"
	"github.com/wasmoor/wasmoor/host/internal/queue/delivery"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

// desk is what an operator does to the queues of a plugin "demo", which does not serve.
type desk struct {
	*queues.Queues
	t        *testing.T
	store    *meanwhile
	registry *registry.Registry
	space    store.Space
	now      time.Time
}

// meanwhile is a store where something happens before each snapshot.
type meanwhile struct {
	store.Store
	happens func()
}

func (m *meanwhile) Snapshot() (store.Snapshot, error) {
	if m.happens != nil {
		m.happens()
	}
	return m.Store.Snapshot()
}

func open(t *testing.T) *desk {
	t.Helper()
	dir := t.TempDir()
	opened, err := badger.Open(badger.Config{Dir: filepath.Join(dir, "store"), MinFree: -1, Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	d := &desk{t: t, store: &meanwhile{Store: opened}, now: time.UnixMilli(1_000_000)}
	clock := func() time.Time { return d.now }
	d.registry, err = registry.Open(t.Context(), opened, filepath.Join(dir, "modules"), clock, capabilities.All(capabilities.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	manifest := "manifest_version = 1\nname = \"demo\"\n[queue.q]\nrequest = \"POST /q\"\n"
	p, _, err := d.registry.AddVersion(t.Context(), registry.AddVersion{Name: "demo", Module: []byte("module"), Manifest: []byte(manifest)})
	if err != nil {
		t.Fatal(err)
	}
	d.space = store.Space(p.Space)
	d.Queues = queues.New(d.store, d.registry, delivery.New(delivery.Config{Store: opened, Clock: clock}), clock)
	return d
}

// commit commits what act does to the queues.
func (d *desk) commit(act func(part *store.Tx) error) {
	d.t.Helper()
	snap, err := d.store.Store.Snapshot()
	if err != nil {
		d.t.Fatal(err)
	}
	tx := store.Begin(snap, d.space, store.Quota{}, d.now)
	defer tx.Close()
	if err := act(queue.Part(tx, d.space)); err != nil {
		d.t.Fatal(err)
	}
	if _, err := d.store.Commit(context.Background(), tx.Effects()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) send(of string, bodies ...string) {
	d.t.Helper()
	d.commit(func(part *store.Tx) error {
		for i, body := range bodies {
			m := queue.Message{Queue: of, Sent: d.now.UnixMilli(), Body: []byte(body)}
			if _, err := queue.Send(part, uint16(i), &m, "", time.Hour); err != nil {
				return err
			}
		}
		return nil
	})
}

// bury makes dead letters of all messages of q, for an hour.
func (d *desk) bury() {
	d.t.Helper()
	for _, m := range d.peek("q", false).Messages {
		id, err := queue.ParseID(m.ID)
		if err != nil {
			d.t.Fatal(err)
		}
		d.commit(func(part *store.Tx) error {
			m, _, err := queue.Get(part, id)
			if err != nil {
				return err
			}
			m.Attempts, m.Problem = 3, "it would not"
			return queue.Bury(part, id, &m, time.Hour)
		})
	}
}

func (d *desk) peek(of string, dead bool) adminapi.MessagePage {
	d.t.Helper()
	page, err := d.Peek(d.t.Context(), "demo", of, dead, "", 100)
	if err != nil {
		d.t.Fatal(err)
	}
	return page
}

func (d *desk) bodies(of string, dead bool) string {
	d.t.Helper()
	var list []string
	for _, m := range d.peek(of, dead).Messages {
		list = append(list, m.Body)
	}
	return strings.Join(list, " ")
}

// audited returns the details of what was done to queues.
func (d *desk) audited() (list []string) {
	d.t.Helper()
	events, err := d.registry.Audit(d.t.Context(), 0, 100)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range events {
		switch e.Action {
		case plugin.ActionQueueSend, plugin.ActionQueuePause, plugin.ActionQueuePurge, plugin.ActionQueueResume, plugin.ActionQueueRetry:
			list = append(list, fmt.Sprintf("%s: %s by %s", e.Action, e.Detail, e.By))
		}
	}
	return list
}

// TestOperator does to the queues of a plugin that does not serve all that one may.
func TestOperator(t *testing.T) {
	d := open(t)
	d.send("q", "a", "b", "c")
	d.send("old", "kept")
	d.bury()
	d.send("q", "d")
	d.now = d.now.Add(time.Minute)
	list, err := d.List(t.Context(), "demo")
	want := []adminapi.Queue{{Name: "old", Waiting: 1, Age: 60}, {Name: "q", Waiting: 1, Age: 60, Dead: 3}}
	if diff := cmp.Diff(want, list); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	first, err := d.Peek(t.Context(), "demo", "q", true, "", 2)
	if err != nil || !first.More || len(first.Messages) != 2 || first.Messages[0].Attempts != 3 || first.Messages[0].Problem != "it would not" {
		t.Fatalf("%+v, %v", first, err)
	}
	rest, err := d.Peek(t.Context(), "demo", "q", true, first.Messages[1].ID, 2)
	if err != nil || rest.More || len(rest.Messages) != 1 || rest.Messages[0].Body != "c" {
		t.Errorf("%+v, %v", rest, err)
	}

	// Of ids that are given twice, or are no dead letter any more, one counts.
	b := first.Messages[1].ID
	if n, err := d.Retry(t.Context(), "demo", "q", []string{b, b}, "ann"); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := d.Retry(t.Context(), "demo", "q", []string{b}, "ann"); n != 0 || fault.CodeOf(err) != fault.NotFound {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := d.Retry(t.Context(), "demo", "old", []string{first.Messages[0].ID}, "ann"); n != 0 || fault.CodeOf(err) != fault.NotFound {
		t.Errorf("of another queue: %d, %v", n, err)
	}
	if waits := d.bodies("q", false); waits != "b d" {
		t.Errorf("%q waits: what is retried has its place", waits)
	}
	if n, err := d.Retry(t.Context(), "demo", "q", nil, "ann"); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if waits := d.bodies("q", false); waits != "a b c d" {
		t.Errorf("%q waits", waits)
	}

	for range 2 {
		if err := d.Pause(t.Context(), "demo", "q", true, "ann"); err != nil {
			t.Error(err)
		}
	}
	if list, err := d.List(t.Context(), "demo"); err != nil || !list[1].Paused || list[0].Paused {
		t.Errorf("%+v, %v", list, err)
	}
	if err := d.Pause(t.Context(), "demo", "q", false, "bob"); err != nil {
		t.Error(err)
	}
	if err := d.Pause(t.Context(), "demo", "none", true, "ann"); fault.CodeOf(err) != fault.NotFound {
		t.Error(err)
	}
	if n, err := d.Purge(t.Context(), "demo", "q", false, "ann"); n != 4 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if left := d.bodies("q", false) + d.bodies("old", false); left != "kept" {
		t.Errorf("%q is left", left)
	}
	d.send("q", "e")
	d.bury()
	if n, err := d.Purge(t.Context(), "demo", "q", true, "ann"); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	// What does nothing is not told to the audit.
	for _, dead := range []bool{false, true} {
		if n, err := d.Purge(t.Context(), "demo", "q", dead, "ann"); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if diff := cmp.Diff([]string{
		"queue-retry: 1 dead letters of queue q by ann",
		"queue-retry: 2 dead letters of queue q by ann",
		"queue-pause: queue q by ann",
		"queue-resume: queue q by bob",
		"queue-purge: 4 messages of queue q by ann",
		"queue-purge: 1 dead letters of queue q by ann",
	}, d.audited()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestOver: a dead letter that is over is there for nobody.
func TestOver(t *testing.T) {
	d := open(t)
	d.send("q", "a")
	d.bury()
	d.now = d.now.Add(time.Hour)
	if list, err := d.List(t.Context(), "demo"); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if got := d.bodies("q", true); got != "" {
		t.Errorf("%q", got)
	}
	if n, err := d.Retry(t.Context(), "demo", "q", nil, "ann"); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// TestWhileItSends: an operator's change of a whole queue ends while the plugin goes on
// to send, and is one of the audit.
func TestWhileItSends(t *testing.T) {
	for _, dead := range []bool{false, true} {
		d := open(t)
		d.send("q", "a", "b")
		if dead {
			d.bury()
		}
		sent := 0
		d.store.happens = func() {
			if sent++; sent > 20 {
				return // else the fault that is looked for would never end
			}
			happens := d.store.happens
			d.store.happens = nil
			d.send("q", "more")
			if dead {
				d.bury()
			}
			d.store.happens = happens
		}
		n, err := d.Purge(t.Context(), "demo", "q", dead, "ann")
		if n != 3 || err != nil || sent > 5 {
			t.Errorf("dead %v: %d are purged after %d more, want the two and the one before it began; %v", dead, n, sent, err)
		}
		if got := d.audited(); len(got) != 1 {
			t.Errorf("%q", got)
		}
	}
}

// TestBodies: text is shown as text, also where it is cut, and other bytes are not.
func TestBodies(t *testing.T) {
	d := open(t)
	long := strings.Repeat("a", 4<<10-1)
	for body, want := range map[string]adminapi.Message{
		"plain":            {Body: "plain", Size: 5},
		long + "é and on":  {Body: long, Size: len(long) + 9},
		long + "\xff more": {Base64: true, Size: len(long) + 6},
		"cut\xc3":          {Body: "Y3V0ww==", Base64: true, Size: 4},
		"nul\x00":          {Body: "bnVsAA==", Base64: true, Size: 4},
	} {
		d.send("q", body)
		got := d.peek("q", false).Messages[0]
		if got.Size != want.Size || got.Base64 != want.Base64 || want.Body != "" && got.Body != want.Body {
			t.Errorf("%.8q: %.40q base64 %v size %d", body, got.Body, got.Base64, got.Size)
		}
		if _, err := d.Purge(t.Context(), "demo", "q", false, "ann"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUnknown(t *testing.T) {
	d := open(t)
	_, list := d.List(t.Context(), "none")
	_, peek := d.Peek(t.Context(), "none", "q", false, "", 1)
	_, retry := d.Retry(t.Context(), "none", "q", nil, "ann")
	_, purge := d.Purge(t.Context(), "none", "q", false, "ann")
	for _, err := range []error{list, peek, retry, purge, d.Pause(t.Context(), "none", "q", true, "ann")} {
		if fault.CodeOf(err) != fault.NotFound {
			t.Errorf("%v, want NotFound", err)
		}
	}
	_, bad := d.Peek(t.Context(), "demo", "q", false, "letter", 1)
	_, ids := d.Retry(t.Context(), "demo", "q", []string{"zz"}, "ann")
	for _, err := range []error{bad, ids} {
		if fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%v, want Invalid", err)
		}
	}
}
