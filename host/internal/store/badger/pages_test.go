package badger

import (
	"bytes"
	"fmt"
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
)

// pageView is a snapshot with what it has to show.
type pageView struct {
	snap store.Snapshot
	want map[string]string

	durable bool
}

func (v pageView) check(t *rapid.T, area store.Space, states map[store.Revision]map[string]string) {
	for i := range byte(8) {
		key := []byte{i}
		got, ok, err := v.snap.Get(area, key)
		if want, there := v.want[string(key)]; err != nil || ok != there || string(got.Data) != want {
			t.Fatalf("page %d at %d: %.20q %v %v, want %.20q %v", i, v.snap.Revision(), got.Data, ok, err, want, there)
		}
	}
	since := v.snap.Since(area)
	if since == 0 {
		if v.durable {
			t.Fatal("all is on disk, and it cannot say since when")
		}
		return
	}
	for r, state := range states {
		if r >= since && r <= v.snap.Revision() && !maps.Equal(state, v.want) {
			t.Fatalf("at %d, since %d: %d has something else", v.snap.Revision(), since, r)
		}
	}
}

// TestPagesOfSnapshots interleaves commits of pages with reads at old and new snapshots,
// durable and on top of what is sealed, and compares each page with a model.
func TestPagesOfSnapshots(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir()})
	space := store.Space(0)
	rapid.Check(t, func(rt *rapid.T) {
		space++
		area := space.In(store.AreaSQL)
		now := map[string]string{}
		states := map[store.Revision]map[string]string{}
		var views []pageView
		var sealed []*store.Settling
		defer func() {
			for _, v := range views {
				v.snap.Release()
			}
			for _, settling := range sealed {
				wantCode(t, "settle", settling.Wait(), "")
			}
		}()
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			switch rapid.IntRange(0, 3).Draw(rt, "step") {
			case 0: // it changes pages, on top of what is sealed
				snap, err := s.Latest()
				wantCode(t, "Latest", err, "")
				tx := store.Begin(snap, area, store.Quota{}, time.Now())
				now = maps.Clone(now)
				for range rapid.IntRange(1, 4).Draw(rt, "writes") {
					key := []byte{rapid.Byte().Draw(rt, "page") % 8}
					if rapid.IntRange(0, 3).Draw(rt, "kind") == 0 {
						wantCode(t, "Delete", tx.Delete(key), "")
						delete(now, string(key))
						continue
					}
					page := bytes.Repeat(fmt.Append(nil, len(states), key), 500)
					wantCode(t, "Set", tx.Set(key, page, 0), "")
					now[string(key)] = string(page)
				}
				revision, settling, err := s.Seal(t.Context(), tx.Effects())
				tx.Close()
				wantCode(t, "Seal", err, "")
				sealed, states[revision] = append(sealed, settling), now
			case 1:
				snap, err := s.Latest()
				wantCode(t, "Latest", err, "")
				views = append(views, pageView{snap, now, false})
			case 2: // all is durable
				if len(sealed) > 0 {
					wantCode(t, "settle", sealed[len(sealed)-1].Wait(), "")
				}
				snap, err := s.Snapshot()
				wantCode(t, "Snapshot", err, "")
				views = append(views, pageView{snap, now, true})
			case 3:
				if len(views) > 0 {
					views[rapid.IntRange(0, len(views)-1).Draw(rt, "view")].check(rt, area, states)
				}
			}
		}
		for _, v := range views {
			v.check(rt, area, states)
		}
	})
}

// TestPagesOfWhatMayFail: the revision of a change that is not on disk names no state, for
// another change may get it.
func TestPagesOfWhatMayFail(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir()})
	snap, err := s.Latest()
	wantCode(t, "Latest", err, "")
	defer snap.Release()
	changed, other := store.Space(7).In(store.AreaSQL), store.Space(8).In(store.AreaSQL)
	g := newGroup()
	g.pending.Set(&pending{encoded: encoded{dataKey: layout.Key(layout.KindData, changed, []byte("page"))}})
	top := snap.(*snapshot)
	top.lay(g, g.pending)
	if since := top.Since(changed); since != 0 {
		t.Errorf("the area that changes is as since %d", since)
	}
	if since := top.Since(other); since == 0 {
		t.Error("another area is as since nobody knows when")
	}
}

// TestPagesOfDropped: a snapshot after the drop of a space finds none of its pages.
func TestPagesOfDropped(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir()})
	area, key := store.Space(7).In(store.AreaSQL), []byte("page")
	read := func(of func() (store.Snapshot, error)) (ok bool, since store.Revision) {
		snap, err := of()
		wantCode(t, "snapshot", err, "")
		defer snap.Release()
		_, ok, err = snap.Get(area, key)
		wantCode(t, "Get", err, "")
		return ok, snap.Since(area)
	}
	snap, err := s.Snapshot()
	wantCode(t, "Snapshot", err, "")
	tx := store.Begin(snap, area, store.Quota{}, time.Now())
	wantCode(t, "Set", tx.Set(key, make([]byte, 4096), 0), "")
	_, err = s.Commit(t.Context(), tx.Effects())
	wantCode(t, "Commit", err, "")
	tx.Close()
	ok, before := read(s.Snapshot)
	if !ok {
		t.Fatal("the page is not there")
	}
	wantCode(t, "Drop", s.Drop(t.Context(), 7), "")
	for _, of := range []func() (store.Snapshot, error){s.Snapshot, s.Latest} {
		if ok, since := read(of); ok || since == before {
			t.Errorf("after the drop: %v, as since %d", ok, since)
		}
	}
}
