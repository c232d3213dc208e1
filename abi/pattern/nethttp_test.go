package pattern

import (
	"flag"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the comparison with net/http; 0 = a new one")

// TestAgainstServeMux builds random tables in a ServeMux and in a Set and
// compares which patterns they refuse and what they answer.
func TestAgainstServeMux(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var total counts
	for range 1500 {
		c := newComparison(t)
		for range 1 + rng.IntN(14) {
			c.add(randomPattern(rng))
		}
		for range 40 {
			c.request(randomMethod(rng), pick(rng, "", "h", "g", "x"), randomPath(rng))
		}
		total.plus(c.counts)
		if t.Failed() {
			t.Fatalf("patterns %q; run again with -seed %d", c.patterns, seed)
		}
	}
	t.Logf("%+v", total)
	if total.Conflicts < 100 || total.Matches < 1000 || total.NotAllowed < 100 || total.NotFound < 100 || total.Redirects < 100 {
		t.Errorf("the tables are too one-sided to show anything: %+v", total)
	}
}

type counts struct{ Patterns, Conflicts, Matches, NotAllowed, NotFound, Redirects int }

func (c *counts) plus(o counts) {
	c.Patterns += o.Patterns
	c.Conflicts += o.Conflicts
	c.Matches += o.Matches
	c.NotAllowed += o.NotAllowed
	c.NotFound += o.NotFound
	c.Redirects += o.Redirects
}

// comparison is one table on both sides.
type comparison struct {
	counts
	t        testing.TB
	mux      *http.ServeMux
	set      *Set[string]
	patterns []string
	got      *http.Request // what the mux's handler was called with
}

func newComparison(tb testing.TB) *comparison {
	tb.Helper()
	return &comparison{t: tb, mux: http.NewServeMux(), set: new(Set[string])}
}

func (c *comparison) add(text string) {
	c.t.Helper()
	muxErr := c.addToMux(text)
	p, err := Parse(text)
	if err == nil {
		err = c.set.Add(p, text)
	}
	if (err != nil) != (muxErr != nil) {
		c.t.Errorf("adding %q to %q: %v; net/http: %v", text, c.patterns, err, muxErr)
	}
	c.Patterns++
	if err != nil {
		c.Conflicts++
		return
	}
	c.patterns = append(c.patterns, text)
}

func (c *comparison) addToMux(text string) (refused any) {
	defer func() { refused = recover() }()
	c.mux.HandleFunc(text, func(_ http.ResponseWriter, r *http.Request) { c.got = r })
	return nil
}

func (c *comparison) request(method, host, path string) {
	c.t.Helper()
	u, err := url.Parse(path)
	if err != nil || u.EscapedPath() != path {
		return // net/http routes by another spelling of the path
	}
	c.got = nil
	answer := httptest.NewRecorder()
	c.mux.ServeHTTP(answer, &http.Request{Method: method, Host: host, URL: u, RequestURI: path})
	m, ok := c.set.Match(method, host, path, nil)
	switch {
	case c.got != nil:
		c.Matches++
		c.compareMatch(method, host, path, m, ok)
	case answer.Code == http.StatusTemporaryRedirect:
		c.Redirects++ // because path + "/" fits exactly; a Set leaves that to its caller
		if _, ok := c.set.Match(method, host, path+"/", nil); !ok {
			c.t.Errorf("%s %s%s/ does not match, net/http redirects to it", method, host, path)
		}
	case ok:
		c.t.Errorf("%s %s%s = %q, net/http answers %d", method, host, path, m.Value, answer.Code)
	case answer.Code == http.StatusMethodNotAllowed:
		c.NotAllowed++
		if got, want := c.allowed(host, path), answer.Header().Get("Allow"); got != want {
			c.t.Errorf("%s %s%s allows %q, net/http %q", method, host, path, got, want)
		}
	case answer.Code == http.StatusNotFound:
		c.NotFound++
		if got := c.set.Allowed(host, path); len(got) != 0 {
			c.t.Errorf("%s %s%s allows %q, net/http finds nothing", method, host, path, got)
		}
	default:
		c.t.Errorf("%s %s%s: net/http answers %d", method, host, path, answer.Code)
	}
}

// allowed joins the methods of path and of path + "/", as net/http does because
// of its redirects.
func (c *comparison) allowed(host, path string) string {
	methods := c.set.Allowed(host, path)
	if !strings.HasSuffix(path, "/") {
		methods = append(methods, c.set.Allowed(host, path+"/")...)
	}
	slices.Sort(methods)
	return strings.Join(slices.Compact(methods), ", ")
}

func (c *comparison) compareMatch(method, host, path string, m Match[string], ok bool) {
	c.t.Helper()
	if !ok || m.Pattern.String() != c.got.Pattern || m.Value != c.got.Pattern {
		c.t.Errorf("%s %s%s = %q, %v, net/http %q", method, host, path, m.Value, ok, c.got.Pattern)
		return
	}
	for _, p := range m.Params {
		if want := c.got.PathValue(p.Name); p.Value != want {
			c.t.Errorf("%s %s%s with %q: %s = %q, net/http %q", method, host, path, m.Value, p.Name, p.Value, want)
		}
	}
	if want := strings.Count(m.Value, "{") - strings.Count(m.Value, "{$}"); len(m.Params) != want {
		c.t.Errorf("%s %s%s with %q: %d values, want %d", method, host, path, m.Value, len(m.Params), want)
	}
}

func pick[T any](rng *rand.Rand, choices ...T) T { return choices[rng.IntN(len(choices))] }

func randomMethod(rng *rand.Rand) string { return pick(rng, "GET", "GET", "HEAD", "POST", "PUT") }

func randomPattern(rng *rand.Rand) string {
	var b strings.Builder
	if rng.IntN(3) > 0 {
		b.WriteString(randomMethod(rng) + " ")
	}
	b.WriteString(pick(rng, "", "", "", "h", "g"))
	for i := range rng.IntN(4) {
		name := string(rune('x' + i))
		b.WriteString("/" + pick(rng, "a", "b", "a", "b", "%61", "a%20b", "%zz", "{"+name+"}", "{"+name+"}"))
	}
	end := pick(rng, "", "", "", "/", "/{$}", "/{r...}")
	if b.Len() == 0 || b.String()[b.Len()-1] == ' ' || !strings.Contains(b.String(), "/") {
		end = pick(rng, "/", "/{$}", "/{r...}")
	}
	return b.String() + end
}

func randomPath(rng *rand.Rand) string {
	var b strings.Builder
	for range rng.IntN(4) {
		b.WriteString("/" + pick(rng, "a", "b", "a", "b", "c", "%61", "a%20b", "%25zz", "a%2Fb", "%C3%A9"))
	}
	if b.Len() == 0 || rng.IntN(3) == 0 {
		b.WriteString("/")
	}
	return b.String()
}
