package registry

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/audit"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// verifies checks the chain as an outsider would, and returns it.
func (f *fixture) verifies() Lines {
	f.t.Helper()
	lines, err := f.AuditLines(f.t.Context(), 0, 0)
	wantCode(f.t, err, "")
	if err := verifyLines(lines); err != nil {
		f.t.Error(err)
	}
	return lines
}

func verifyLines(lines Lines) error {
	v := audit.New(lines.Begin)
	for _, line := range lines.Lines {
		if err := v.Add(line); err != nil {
			return err
		}
	}
	return v.End(lines.End)
}

func TestEventsAreAChain(t *testing.T) {
	f := open(t)
	var heads []string
	f.OnAudited(func(e Audited) { heads = append(heads, e.Hash) })
	ctx := audit.With(t.Context(), audit.Actor{Token: "t1", Address: "192.0.2.1", Request: "r1"})
	_, _, err := f.AddVersion(ctx, AddVersion{Name: "shop", Module: []byte("m"), By: "ann"})
	wantCode(t, err, "")
	f.activate("shop", Change{Version: 1})
	wantCode(t, f.Delete(ctx, "shop", true, "ann"), "")
	lines := f.verifies()
	same(t, "events", 3, len(lines.Lines))
	same(t, "what was told of", 3, len(heads))
	for i, line := range lines.Lines {
		same(t, fmt.Sprint("the hash of ", i), audit.Hash(line), heads[i])
	}
	events, err := f.Audit(ctx, 0, 1)
	wantCode(t, err, "")
	e := events[0]
	same(t, "who", []string{"ann", "t1", "192.0.2.1", "r1", audit.Start}, []string{e.By, e.Token, e.Address, e.Request, e.Prev})
	f.reopen()
	f.upload("shop", "again")
	f.verifies()
}

func TestEventsAreFilteredByPluginAndTime(t *testing.T) {
	f := open(t)
	f.upload("a", "m")
	f.upload("b", "m")
	f.activate("a", Change{Version: 1})
	events, err := f.Events(t.Context(), Events{Of: func(name string) bool { return name == "a" }, Limit: 5})
	wantCode(t, err, "")
	same(t, "of a", []uint64{1, 3}, []uint64{events[0].Number, events[1].Number})
	none, err := f.Events(t.Context(), Events{Since: noon.Add(1)})
	wantCode(t, err, "")
	same(t, "of later", 0, len(none))
	all, err := f.Events(t.Context(), Events{Since: noon})
	wantCode(t, err, "")
	same(t, "since then", 3, len(all))
}

// TestDamageOfStoredEventsIsFound changes each stored event behind the registry's
// back.
func TestDamageOfStoredEventsIsFound(t *testing.T) {
	changes := map[string]func(tx *records, number uint64, line []byte) error{
		"a flipped byte": func(tx *records, number uint64, line []byte) error {
			line = slices.Clone(line)
			line[len(line)/2] ^= 1
			return tx.Set(auditKey(number), line, 0)
		},
		"removed": func(tx *records, number uint64, _ []byte) error { return tx.Delete(auditKey(number)) },
		"with the text of another": func(tx *records, number uint64, _ []byte) error {
			other, _, err := tx.Get(auditKey(number%4 + 1))
			if err != nil {
				return err
			}
			return tx.Set(auditKey(number), slices.Clone(other), 0)
		},
	}
	for what, change := range changes {
		for number := uint64(1); number <= 4; number++ {
			f := open(t)
			f.upload("shop", "m")
			for range 3 {
				f.activate("shop", Change{Version: 1})
			}
			f.write(func(tx *records) error {
				line, _, err := tx.Get(auditKey(number))
				if err != nil {
					return err
				}
				return change(tx, number, line)
			})
			lines, err := f.AuditLines(t.Context(), 0, 0)
			wantCode(t, err, "")
			broken, ok := errors.AsType[*audit.BreakError](verifyLines(lines))
			if !ok || broken.Number != number && broken.Number != number+1 {
				t.Errorf("event %d %s: %v", number, what, broken)
			}
		}
	}
}

func TestAPrunedAuditVerifies(t *testing.T) {
	f := open(t)
	f.upload("shop", "m")
	const n = removeStep + 40
	f.write(func(tx *records) error {
		for range n {
			if err := tx.audit(plugin.Event{Action: plugin.ActionVars, Plugin: "shop"}); err != nil {
				return err
			}
		}
		return nil
	})
	before := f.verifies()
	s := &failing{}
	r := f.over(s)
	commits := 0
	s.commit = func() error { // the event and the first step pass, the second does not
		if commits++; commits > 2 {
			return fault.New(fault.Unavailable, "commit", "the store is read-only")
		}
		return nil
	}
	keep := Retention{Events: 7}
	_, err := r.Prune(t.Context(), "", keep, false, "ann")
	wantCode(t, err, fault.Unavailable)
	half := f.verifies()
	same(t, "where it begins after half of it", uint64(removeStep), half.Begin.Number)
	f.reopen()
	pruned, err := f.Prune(t.Context(), "", keep, false, "ann")
	wantCode(t, err, "")
	if pruned.Events == 0 {
		t.Error("nothing was left to prune")
	}
	lines := f.verifies()
	same(t, "where it begins", audit.Point{Number: n - 5, Hash: audit.Hash(before.Lines[n-6])}, lines.Begin)
	if err := verifyLines(Lines{Begin: lines.Begin, End: lines.End, Lines: lines.Lines[1:]}); err == nil {
		t.Error("the first event that is left may be removed")
	}
	if err := verifyLines(Lines{Begin: audit.Point{}, End: lines.End, Lines: lines.Lines}); err == nil {
		t.Error("what was removed without a prune is not found")
	}
}

func TestRetentionLeavesAChain(t *testing.T) {
	f := open(t)
	f.Retain(Retention{Events: 3})
	f.upload("shop", "m")
	for range 8 {
		f.activate("shop", Change{Version: 1})
	}
	lines := f.verifies()
	same(t, "events", 3, len(lines.Lines))
	same(t, "the last", uint64(9), lines.End.Number)
}

// TestAnOldAuditIsFollowedByAChain goes on after the records of each format.
func TestAnOldAuditIsFollowedByAChain(t *testing.T) {
	for format := range Format + 1 {
		f := openWith(t, storedIn(t, format))
		f.verifies()
		f.upload("new", "m")
		f.activate("new", Change{Version: 1})
		lines := f.verifies()
		kept := 16
		if format == Format { // one with what was before and after
			kept++
		}
		same(t, "events", kept+2, len(lines.Lines))
		if want := `"prev":"` + audit.Start; format < 3 && !strings.Contains(string(lines.Lines[16]), want) {
			t.Errorf("format %d: the chain begins with %s", format, lines.Lines[16])
		}
		_, err := f.Prune(t.Context(), "", Retention{Events: 10}, false, "ann")
		wantCode(t, err, "")
		f.verifies()
		f.reopen()
		f.write(func(tx *records) error { return tx.remove([]string{string(auditKey(12))}) })
		lines, err = f.AuditLines(t.Context(), 0, 0)
		wantCode(t, err, "")
		if verifyLines(lines) == nil {
			t.Errorf("format %d: an event that is missing is not found", format)
		}
	}
}

// TestEveryCommitIsAChain fails each commit of each change in turn, before and after
// the store has taken it, as a crash would.
func TestEveryCommitIsAChain(t *testing.T) {
	changes := map[string]func(r *Registry) error{
		"upload": func(r *Registry) error {
			_, _, err := r.AddVersion(t.Context(), AddVersion{Name: "shop", Module: []byte("new")})
			return err
		},
		"install": func(r *Registry) error {
			_, _, err := r.AddVersion(t.Context(), AddVersion{Name: "new", Module: []byte("new")})
			return err
		},
		"activate": func(r *Registry) error { _, _, err := r.Activate(t.Context(), "shop", Change{Version: 2}); return err },
		"rollback": func(r *Registry) error { _, _, err := r.Activate(t.Context(), "shop", Change{Version: 1}); return err },
		"vars": func(r *Registry) error {
			_, _, err := r.Change(t.Context(), "shop", Change{Set: map[string]string{"a": "1"}})
			return err
		},
		"delete": func(r *Registry) error { return r.Delete(t.Context(), "shop", false, "") },
		"purge":  func(r *Registry) error { return r.Delete(t.Context(), "shop", true, "") },
		"prune": func(r *Registry) error {
			_, err := r.Prune(t.Context(), "", Retention{Versions: 1, Events: 2}, false, "")
			return err
		},
		"put": func(r *Registry) error {
			_, err := r.ChangeKeys(t.Context(), "shop", func(tx *store.Tx) (plugin.Event, error) {
				return plugin.Event{Action: plugin.ActionKVPut, Plugin: "shop"}, tx.Set([]byte("k"), []byte("v"), 0)
			})
			return err
		},
	}
	f := open(t)
	for what, change := range changes {
		for _, taken := range []bool{false, true} {
			for stop := 1; f.stoppedAt(t, stop, taken, change); stop++ {
				if stop > 10 {
					t.Fatalf("%s goes on for ever", what)
				}
			}
		}
	}
}

// stoppedAt makes a change, of which a commit is the last, and checks what is left.
// It reports whether the change has so many commits.
func (f *fixture) stoppedAt(t *testing.T, stop int, taken bool, change func(*Registry) error) bool {
	t.Helper()
	broken := fault.New(fault.Unknown, "commit", "the machine stops")
	_ = f.Delete(t.Context(), "shop", true, "")
	_ = f.Delete(t.Context(), "new", true, "")
	f.upload("shop", "m1")
	f.upload("shop", "m2")
	f.activate("shop", Change{Version: 1})
	s := &failing{}
	r := f.over(s)
	commits := 0
	s.commit = func() error {
		commits++
		switch {
		case commits < stop:
			return nil
		case commits == stop && taken:
			s.after = broken
			return nil
		}
		return broken
	}
	err := change(r)
	again := &fixture{Registry: f.over(&failing{}), t: t, dir: f.dir, store: f.store}
	again.verifies()
	if p, err := again.Plugin(t.Context(), "shop"); err == nil && p.Active != 0 {
		_, err := again.Version(t.Context(), "shop", p.Active)
		wantCode(t, err, "")
	}
	return err != nil
}
