package transfer_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/archive"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/sqlite"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/transfer"
)

// all returns what a plugin has, by area and key.
func (w *world) all(name string) map[string]string {
	w.Helper()
	p, err := w.registry.Plugin(w.Context(), name)
	if err != nil {
		w.Fatal(err)
	}
	snap, err := w.store.Snapshot()
	if err != nil {
		w.Fatal(err)
	}
	defer snap.Release()
	has := map[string]string{}
	for _, a := range store.Areas() {
		err := snap.Scan(store.Space(p.Keys()).In(a), []byte{}, nil, false, func(key []byte, v store.Value) bool {
			has[fmt.Sprintf("%02x %s", byte(a), key)] = fmt.Sprintf("%.20s %d %d", v.Data, len(v.Data), v.Expires)
			return true
		})
		if err != nil {
			w.Fatal(err)
		}
	}
	return has
}

// fill gives a plugin something in each area, more than one commit has.
func (w *world) fill(name string) {
	w.Helper()
	for _, a := range store.Areas() {
		for i := range 3 {
			key, value := fmt.Sprintf("%s/%d", name, i), strings.Repeat("xyz.", 100_000)
			if a == store.AreaSQL {
				key, value = string(sqlite.Page(name, 0, uint32(i+1))), strings.Repeat("page", sqlite.PageSize/4)
			}
			w.put(name, a, key, value, time.Duration(i)*time.Hour)
		}
		w.put(name, a, "gone", "", time.Millisecond)
	}
	time.Sleep(5 * time.Millisecond)
}

func (w *world) archive(name string) []byte {
	w.Helper()
	var b bytes.Buffer
	send, err := w.service.Export(w.Context(), name, "ann")
	if err == nil {
		err = send(w.Context(), &b)
	}
	if err != nil {
		w.Fatal(err)
	}
	return b.Bytes()
}

func (w *world) bring(name string, r io.Reader, change ...func(*adminapi.DataImport)) (adminapi.DataMoved, error) {
	in := adminapi.DataImport{PluginRef: adminapi.PluginRef{Name: name}}
	for _, f := range change {
		f(&in)
	}
	return w.service.Import(w.Context(), in, r, "ann")
}

func replacing(in *adminapi.DataImport) { in.Replace = true }

// without returns what is not gone, and of areas alone.
func without(has map[string]string, areas string) map[string]string {
	kept := map[string]string{}
	for key, value := range has {
		if !strings.HasSuffix(key, "gone") && strings.Contains(areas, key[:2]) {
			kept[key] = value
		}
	}
	return kept
}

const everyArea = "00 80 81 82 83 84 85"

func TestAllDataComesOutAndIn(t *testing.T) {
	w := newWorld(t, "shop", "other")
	w.fill("shop")
	data, want := w.archive("shop"), without(w.all("shop"), everyArea)
	if info, err := transfer.Verify(bytes.NewReader(data)); err != nil || info.Plugin != "shop" || info.Entries != 21 {
		t.Errorf("%+v, %v", info, err)
	}
	moved, err := w.bring("other", bytes.NewReader(data))
	if err != nil || moved.From != "shop" || moved.Keys != 21 {
		t.Fatal(moved, err)
	}
	if diff := cmp.Diff(want, w.all("other")); diff != "" {
		t.Error(diff)
	}
	if _, err := w.bring("other", bytes.NewReader(data)); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "--replace") {
		t.Errorf("over data: %v", err)
	}
	w.put("other", store.AreaKV, "mine", "1", 0)
	if _, err := w.bring("other", bytes.NewReader(data), replacing); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, w.all("other")); diff != "" {
		t.Error(diff)
	}
	// What the plugin writes from then on is counted with it, and a purge removes all.
	w.put("other", store.AreaKV, "mine", "1", 0)
	p, _ := w.registry.Plugin(t.Context(), "other")
	if has, err := w.store.Usage(store.Space(p.Keys())); err != nil || has.Keys != 19 {
		t.Errorf("%+v, %v", has, err)
	}
	if _, err := w.store.Usage(store.Space(p.Space)); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("the data that was replaced: %v", err)
	}
	if err := w.registry.Delete(t.Context(), "other", true, "ann"); err != nil {
		t.Fatal(err)
	}
	if err := w.registry.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Usage(store.Space(p.Keys())); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("after a purge: %v", err)
	}
}

// TestACopyIsDataAlone: keys, databases and names of blobs, of one revision.
func TestACopyIsDataAlone(t *testing.T) {
	w := newWorld(t, "shop", "staging")
	w.fill("shop")
	w.put("staging", store.AreaQueue, "m", "a message of its own", 0)
	if _, err := w.service.Copy(t.Context(), adminapi.DataCopy{From: "shop"}, "staging", "ann"); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("over a message: %v", err)
	}
	if _, err := w.service.Copy(t.Context(), adminapi.DataCopy{From: "shop", Replace: true}, "staging", "ann"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(without(w.all("shop"), "00 84 85"), w.all("staging")); diff != "" {
		t.Error(diff)
	}
	for _, pair := range [][2]string{{"shop", "shop"}, {"shop", "nobody"}, {"nobody", "shop"}} {
		if _, err := w.service.Copy(t.Context(), adminapi.DataCopy{From: pair[0], Replace: true}, pair[1], "ann"); err == nil {
			t.Errorf("a copy of %s to %s", pair[0], pair[1])
		}
	}
}

// TestWhatFailsChangesNothing: whatever is wrong with an archive or in the way of it, the
// plugin has what it had, and nothing is left.
func TestWhatFailsChangesNothing(t *testing.T) {
	w := newWorld(t, "shop", "other")
	w.fill("shop")
	data := w.archive("shop")
	w.put("other", store.AreaKV, "mine", "1", 0)
	before := w.all("other")
	refused := func(what string, code fault.Code, r io.Reader, change ...func(*adminapi.DataImport)) {
		t.Helper()
		if _, err := w.bring("other", r, append(change, replacing)...); fault.CodeOf(err) != code {
			t.Errorf("%s: %v, want %s", what, err, code)
		}
		if diff := cmp.Diff(before, w.all("other")); diff != "" {
			t.Errorf("%s has changed it: %s", what, diff)
		}
	}
	for i := 0; i < len(data); i += max(len(data)/40, 1) {
		flipped := bytes.Clone(data)
		flipped[i] ^= 4
		refused(fmt.Sprint("a bit at ", i), fault.Invalid, bytes.NewReader(flipped))
		refused(fmt.Sprint("cut at ", i), fault.Invalid, bytes.NewReader(data[:i]))
	}
	refused("a source that breaks", fault.Unavailable, io.MultiReader(bytes.NewReader(data[:len(data)/2]), iotest.ErrReader(fault.New(fault.Unavailable, "", "broken"))))
	refused("something else", fault.Invalid, strings.NewReader("what is this?"))
	w.shared = &store.Shared{Name: "crew", Bytes: 1000, Spaces: []store.Space{16, 17}}
	refused("the disk of a team", fault.Exhausted, bytes.NewReader(data))
	w.shared = nil
	var backup bytes.Buffer
	a, err := archive.NewWriter(&backup, archive.Header{})
	if err == nil {
		err = a.Store(func(w io.Writer) error { _, err := w.Write([]byte{0, 0}); return err })
	}
	if err == nil {
		_, err = a.Finish(1, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	refused("the backup of a server", fault.Invalid, &backup)

	// What is staged when the process ends is removed by the next start.
	space, err := w.registry.Stage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.registry.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Usage(store.Space(space)); err != nil {
		t.Errorf("what is being staged: %v", err)
	}
	if _, err := registry.Open(t.Context(), w.store, t.TempDir(), time.Now, capabilities.All(capabilities.Config{})); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Usage(store.Space(space)); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("what was staged before a start: %v", err)
	}
}

// TestDataThatCameMeanwhileStays: a plugin that was empty and is not any more is not
// overwritten unless somebody says so.
func TestDataThatCameMeanwhileStays(t *testing.T) {
	w := newWorld(t, "shop", "other")
	w.put("shop", store.AreaKV, "theirs", "1", 0)
	data := w.archive("shop")
	w.before = func() { w.put("other", store.AreaKV, "mine", "1", 0) }
	if _, err := w.bring("other", bytes.NewReader(data)); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("%v", err)
	}
	if got := w.all("other"); len(got) != 1 || got["00 mine"] == "" {
		t.Errorf("it has %v", got)
	}
}

// TestTheQuotaHolds: that of the plugin which the data is for.
func TestTheQuotaHolds(t *testing.T) {
	w := newWorld(t, "shop", "other")
	for i := range 12 {
		w.put("shop", store.AreaKV, fmt.Sprintf("%02d", i), strings.Repeat("x", 850_000), 0)
	}
	data := w.archive("shop")
	less := plugin.Grant{}.With(kv.Name, kv.Terms{Keys: 3000, Bytes: 8 << 20})
	if _, _, err := w.registry.Change(t.Context(), "other", registry.Change{Grant: &less}); err != nil {
		t.Fatal(err)
	}
	w.put("other", store.AreaKV, "mine", "1", 0)
	if _, err := w.bring("other", bytes.NewReader(data), replacing); fault.CodeOf(err) != fault.Exhausted || !strings.Contains(err.Error(), "the data of the plugin is as it was") {
		t.Errorf("an archive over the quota: %v", err)
	}
	if _, err := w.service.Copy(t.Context(), adminapi.DataCopy{From: "shop", Replace: true}, "other", "ann"); fault.CodeOf(err) != fault.Exhausted {
		t.Errorf("a copy over the quota: %v", err)
	}
	if got := w.all("other"); len(got) != 1 || got["00 mine"] == "" {
		t.Errorf("it has %v", got)
	}
}

// TestMessagesOfALaterRevision: those of a server that is further on would be mixed up
// with what this one numbers from now on.
func TestMessagesOfALaterRevision(t *testing.T) {
	w := newWorld(t, "shop")
	w.fill("shop")
	data := w.archive("shop")
	fresh := newWorld(t, "shop")
	if _, err := fresh.bring("shop", bytes.NewReader(data)); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "--data-only") {
		t.Errorf("%v", err)
	}
	if _, err := fresh.bring("shop", bytes.NewReader(data), func(in *adminapi.DataImport) { in.DataOnly = true }); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(without(w.all("shop"), "00 84 85"), fresh.all("shop")); diff != "" {
		t.Error(diff)
	}
}
