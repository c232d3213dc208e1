package kv_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

// within runs f in a request that commits and returns the result.
func within(t *testing.T, host func(sdk.Handler) *sdktest.Host, f func()) *sdktest.Result {
	t.Helper()
	return host(func(*sdk.Response, *sdk.Request) error { f(); return nil }).Get("/")
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Errorf("unexpected error: %v", err)
		}
	}
}

func TestGetTellsAbsentFromEmpty(t *testing.T) {
	within(t, sdktest.New, func() {
		must(t, kv.Set("empty", nil), kv.Set("full", []byte("x")), kv.Set("gone", nil), kv.Delete("gone"), kv.Delete("never"))
		for _, c := range []struct {
			key, value string
			ok         bool
		}{{"empty", "", true}, {"full", "x", true}, {"gone", "", false}, {"never", "", false}} {
			value, ok, err := kv.Get(c.key)
			if string(value) != c.value || ok != c.ok || err != nil {
				t.Errorf("Get(%q) = %q, %v, %v", c.key, value, ok, err)
			}
			if has, err := kv.Has(c.key); has != c.ok || err != nil {
				t.Errorf("Has(%q) = %v, %v", c.key, has, err)
			}
		}
		if value, ok, _ := kv.Get("empty"); ok && value == nil {
			t.Error("the empty value is nil")
		}
	})
}

// TestValuesMayBeKept holds a small and a large value over later reads.
func TestValuesMayBeKept(t *testing.T) {
	within(t, sdktest.New, func() {
		values := []string{"small", strings.Repeat("large", 2000), "other"}
		var got [][]byte
		for i, v := range values {
			must(t, kv.Set(fmt.Sprint(i), []byte(v)))
		}
		for i := range values {
			value, _, err := kv.Get(fmt.Sprint(i))
			must(t, err)
			got = append(got, value)
		}
		for i := range values {
			if string(got[i]) != values[i] {
				t.Errorf("value %d changed", i)
			}
		}
	})
}

func TestErrors(t *testing.T) {
	long, huge := strings.Repeat("k", 1025), make([]byte, 1<<20+1)
	within(t, sdktest.New, func() {
		must(t, kv.Set("text", []byte("12345678 ")))
		_, _, getErr := kv.Get("")
		_, listErr := func() ([]kv.Entry, error) { e, _, err := kv.List(kv.Query{Prefix: long}); return e, err }()
		_, intErr := kv.Int("text")
		for _, c := range []struct {
			name string
			err  error
			want error
			text string
		}{
			{"empty key", getErr, kv.ErrInvalid, `kv get "": invalid: a key has 1 to 1024 bytes`},
			{"long key", kv.Delete(long), kv.ErrLimit, `kv delete "` + long + `": limit: a key has 1 to 1024 bytes`},
			{"long prefix", listErr, kv.ErrLimit, "kv list"},
			{"large value", kv.Set("k", huge), kv.ErrLimit, `kv set "k": limit`},
			{"no ttl", kv.SetTTL("k", nil, 0), kv.ErrInvalid, `kv set "k": invalid: a time to live is above zero`},
			{"past ttl", kv.SetTTL("k", nil, -1), kv.ErrInvalid, "kv set"},
			{"not a counter", intErr, kv.ErrWrongType, `kv get "text": wrong type: its value is no counter; kv.Add and kv.SetInt make one`},
			{"add to a text", kv.Add("text", 1), kv.ErrWrongType, `kv add "text": wrong type: its value is no counter, or the sum is too large`},
		} {
			var e *kv.Error
			if !errors.Is(c.err, c.want) || !errors.As(c.err, &e) || !strings.HasPrefix(c.err.Error(), c.text) {
				t.Errorf("%s: got %v, want %v", c.name, c.err, c.want)
			}
		}
	})
}

func TestDenied(t *testing.T) {
	denied := func(h sdk.Handler) *sdktest.Host {
		host := sdktest.New(h)
		host.NoKV = true
		return host
	}
	within(t, denied, func() {
		_, _, getErr := kv.Get("k")
		_, _, listErr := kv.List(kv.Query{})
		for _, err := range []error{getErr, listErr, kv.Set("k", nil), kv.Delete("k"), kv.Add("k", 1)} {
			if !errors.Is(err, kv.ErrDenied) {
				t.Errorf("got %v, want denied", err)
			}
		}
	})
}

func TestOutsideARequest(t *testing.T) {
	if err := kv.Set("k", nil); !errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
}

func TestTooManyWrites(t *testing.T) {
	var err error
	res := within(t, sdktest.New, func() {
		for i := range 10_000 {
			must(t, kv.Set(fmt.Sprint(i), nil))
		}
		must(t, kv.Set("7", []byte("again")))
		err = kv.Set("more", nil)
	})
	if !errors.Is(err, kv.ErrLimit) || res.Outcome != sdktest.Committed {
		t.Errorf("got %v and %v, want limit and a commit of the rest", err, res.Outcome)
	}
}

func TestTTL(t *testing.T) {
	host := sdktest.New(func(_ *sdk.Response, r *sdk.Request) error {
		return errors.Join(kv.SetTTL("minute", nil, kv.Minute), kv.SetTTL("day", nil, kv.TTL(24*time.Hour)),
			kv.SetTTL("instant", nil, 1), kv.SetIntTTL("count", 5, kv.Hour), kv.Set("ever", nil))
	})
	host.Get("/")
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{0, "count day ever instant minute"},
		{time.Millisecond, "count day ever minute"},
		{time.Minute, "count day ever"},
		{time.Hour, "day ever"},
		{24 * time.Hour, "ever"},
	} {
		start := host.Now
		host.Now = start.Add(c.after)
		if got := strings.Join(host.Store.Keys(""), " "); got != c.want {
			t.Errorf("after %v: %q, want %q", c.after, got, c.want)
		}
		host.Now = start
	}
}

func TestCounter(t *testing.T) {
	within(t, sdktest.New, func() {
		if n, err := kv.Int("n"); n != 0 || err != nil {
			t.Errorf("absent: %d, %v", n, err)
		}
		must(t, kv.Add("n", 5), kv.Add("n", -7))
		if n, err := kv.Int("n"); n != -2 || err != nil {
			t.Errorf("after adds: %d, %v", n, err)
		}
		must(t, kv.SetInt("n", math.MaxInt64))
		if err := kv.Add("n", 1); !errors.Is(err, kv.ErrWrongType) {
			t.Errorf("overflow: %v", err)
		}
		must(t, kv.Delete("n"), kv.Add("n", 3))
		if n, err := kv.Int("n"); n != 3 || err != nil {
			t.Errorf("after delete: %d, %v", n, err)
		}
	})
	for _, c := range []struct {
		value string
		n     int64
		ok    bool
	}{{"\xff\xff\xff\xff\xff\xff\xff\xff", -1, true}, {"\x00\x01\x00\x00\x00\x00\x00\x00", 256, true}, {"", 0, false}, {"123456789", 0, false}} {
		if n, ok := kv.Counter([]byte(c.value)); n != c.n || ok != c.ok {
			t.Errorf("Counter(%q) = %d, %v", c.value, n, ok)
		}
	}
}

func keys(entries []kv.Entry) string {
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(e.Key + "=" + string(e.Value) + " ")
	}
	return b.String()
}

func TestList(t *testing.T) {
	within(t, sdktest.New, func() {
		for _, k := range []string{"a", "p/1", "p/2", "p/3", "p/4", "q"} {
			must(t, kv.Set(k, []byte(k[len(k)-1:])))
		}
		for _, c := range []struct {
			name  string
			query kv.Query
			want  string
			more  bool
		}{
			{"all", kv.Query{}, "a=a p/1=1 p/2=2 p/3=3 p/4=4 q=q ", false},
			{"prefix", kv.Query{Prefix: "p/"}, "p/1=1 p/2=2 p/3=3 p/4=4 ", false},
			{"limit", kv.Query{Prefix: "p/", Limit: 2}, "p/1=1 p/2=2 ", true},
			{"exact limit", kv.Query{Prefix: "p/", Limit: 4}, "p/1=1 p/2=2 p/3=3 p/4=4 ", false},
			{"after", kv.Query{Prefix: "p/", After: "p/2"}, "p/3=3 p/4=4 ", false},
			{"after absent", kv.Query{Prefix: "p/", After: "p/22"}, "p/3=3 p/4=4 ", false},
			{"after the end", kv.Query{Prefix: "p/", After: "z"}, "", false},
			{"reverse", kv.Query{Prefix: "p/", Reverse: true, Limit: 3}, "p/4=4 p/3=3 p/2=2 ", true},
			{"reverse after", kv.Query{Prefix: "p/", Reverse: true, After: "p/3"}, "p/2=2 p/1=1 ", false},
			{"keys only", kv.Query{Prefix: "p/", KeysOnly: true, Limit: 2}, "p/1= p/2= ", true},
			{"nothing", kv.Query{Prefix: "x"}, "", false},
		} {
			entries, more, err := kv.List(c.query)
			if got := keys(entries); got != c.want || more != c.more || err != nil {
				t.Errorf("%s: %q, more %v, %v; want %q, more %v", c.name, got, more, err, c.want, c.more)
			}
			var all []kv.Entry
			for e, err := range kv.All(c.query) {
				must(t, err)
				all = append(all, e)
			}
			if got := keys(all); got != c.want {
				t.Errorf("%s: All gave %q, want %q", c.name, got, c.want)
			}
		}
	})
}

// TestListManyPages has more entries than a page, and one larger than it.
func TestListManyPages(t *testing.T) {
	within(t, sdktest.New, func() {
		var want []string
		for i := range 2500 {
			key := fmt.Sprintf("k%04d", i)
			want = append(want, key)
			must(t, kv.Set(key, []byte("value of "+key)))
		}
		must(t, kv.Set("k1000", make([]byte, 50_000)), kv.Set("k0000", make([]byte, 50_000)))
		for _, c := range []struct{ limit, want int }{{0, 2500}, {1, 1}, {1200, 1200}, {2500, 2500}, {9999, 2500}} {
			entries, more, err := kv.List(kv.Query{Prefix: "k", Limit: c.limit})
			must(t, err)
			var got []string
			for _, e := range entries {
				got = append(got, e.Key)
			}
			if !slices.Equal(got, want[:c.want]) || more != (c.want < 2500) {
				t.Errorf("limit %d: %d entries, more %v", c.limit, len(got), more)
			}
		}
	})
}

// TestEntriesAreTheCallers changes and extends what a list returned.
func TestEntriesAreTheCallers(t *testing.T) {
	within(t, sdktest.New, func() {
		must(t, kv.Set("a", []byte("1")), kv.Set("b", []byte("2")))
		entries, _, err := kv.List(kv.Query{})
		must(t, err)
		entries[0].Value[0] = 'x'
		_ = append(entries[0].Value, "overwrite the neighbour"...)
		if got := keys(entries); got != "a=x b=2 " {
			t.Errorf("got %q", got)
		}
		if again, _, _ := kv.List(kv.Query{}); keys(again) != "a=1 b=2 " {
			t.Errorf("stored %q", keys(again))
		}
	})
}

func TestAllStopsEarly(t *testing.T) {
	within(t, sdktest.New, func() {
		must(t, kv.Set("a", nil), kv.Set("b", nil))
		n := 0
		for _, err := range kv.All(kv.Query{}) {
			must(t, err)
			n++
			break
		}
		if n != 1 {
			t.Errorf("got %d entries", n)
		}
	})
}

// TestAppend has two requests append in turns, of which the second commits while
// the first runs: neither conflicts, and the entries lie in the order of commits,
// then of calls.
func TestAppend(t *testing.T) {
	var second func()
	handler := func(_ *sdk.Response, r *sdk.Request) error {
		if entries, _, err := kv.List(kv.Query{Prefix: "log/", Snapshot: true}); err != nil || r.Path() == "/first" && len(entries) > 0 {
			t.Errorf("listed %q, %v", entries, err)
		}
		for i := range 2 {
			must(t, kv.Append("log/", fmt.Append(nil, r.Path(), i)))
		}
		_, _, err := kv.GetSnapshot("last")
		must(t, err, kv.SetVersionstamped("last", []byte("at 12345678"), kv.NoVersionstamp, 3, 0))
		return nil
	}
	host := sdktest.New(handler)
	host.BeforeCommit = func(int) { second() }
	second = func() {
		if res := host.Get("/second"); res.Attempts != 1 || res.Outcome != sdktest.Committed {
			t.Errorf("second: %+v", res)
		}
	}
	if res := host.Get("/first"); res.Attempts != 1 || res.Outcome != sdktest.Committed {
		t.Errorf("first: %+v", res)
	}
	var got []string
	var stamps []uint64
	for _, key := range host.Store.Keys("log/") {
		value, _ := host.Store.Get(key)
		stamp, ok := kv.Versionstamp(strings.TrimPrefix(key, "log/"))
		if !ok {
			t.Errorf("key %q has no versionstamp", key)
		}
		got, stamps = append(got, string(value)), append(stamps, stamp)
	}
	if want := []string{"/second0", "/second1", "/first0", "/first1"}; !slices.Equal(got, want) {
		t.Errorf("entries %q, want %q", got, want)
	}
	last, _ := host.Store.Get("last")
	if stamp, ok := kv.Versionstamp(string(last[3:])); !ok || stamp != stamps[3] || stamps[0] != stamps[1] || stamps[1] >= stamps[2] {
		t.Errorf("stamps %d, the last %d", stamps, stamp)
	}
}

func TestVersionstampsRefused(t *testing.T) {
	within(t, sdktest.New, func() {
		for _, err := range []error{
			kv.SetVersionstamped("1234567", nil, 0, kv.NoVersionstamp, 0),
			kv.SetVersionstamped("k", []byte("1234567"), kv.NoVersionstamp, 0, 0),
			kv.SetVersionstamped("k", []byte("12345678"), kv.NoVersionstamp, -2, 0),
			kv.SetVersionstamped("k", []byte("12345678"), kv.NoVersionstamp, 0, -1),
		} {
			if !errors.Is(err, kv.ErrInvalid) {
				t.Errorf("got %v, want ErrInvalid", err)
			}
		}
		if _, ok := kv.Versionstamp("1234567"); ok {
			t.Error("7 bytes are a versionstamp")
		}
	})
}
