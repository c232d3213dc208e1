package plugin

import (
	"hash/fnv"
	"strconv"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

func TestParsePlan(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"1%:5m,5%:10m,25%:15m", DefaultPlan().String()},
		{"5%:2m, 25%:5m", "5%:2m,25%:5m"},
		{"0.5%:90s,50%:0s", "0.5%:1m30s,50%:0s"},
		{"99.99%:1h", "99.99%:1h"},
		{"", ""},
		{"5%", ""},
		{"5:2m", ""},
		{"5%:2", ""},
		{"0%:1m", ""},
		{"100%:1m", ""},
		{"NaN%:1m", ""},
		{"5%:-1m", ""},
		{"5%:169h", ""},
		{"25%:1m,5%:1m", ""},
		{"5%:1m,5%:1m", ""},
		{"5%:1m,", ""},
	} {
		p, err := ParsePlan(c.in)
		switch {
		case c.want == "" && fault.CodeOf(err) != fault.Invalid:
			t.Errorf("ParsePlan(%q) = %v, %v, want an error", c.in, p, err)
		case c.want != "" && (err != nil || p.String() != c.want):
			t.Errorf("ParsePlan(%q) = %s, %v, want %s", c.in, p, err, c.want)
		}
	}
}

func FuzzParsePlan(f *testing.F) {
	f.Add("1%:5m,5%:10m")
	f.Add("0.015%:1ns,1e1%:1h")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePlan(text)
		if err != nil {
			return
		}
		if again, err := ParsePlan(p.String()); err != nil || again.String() != p.String() {
			t.Errorf("%q reads as %s, which reads as %s, %v", text, p, again, err)
		}
	})
}

func TestParseClientKey(t *testing.T) {
	for _, c := range []struct {
		in, header string
		ok         bool
	}{
		{"", "authorization", true},
		{"ip", "", true},
		{"cookie", "", true},
		{"header:X-User", "x-user", true},
		{"header:", "", false},
		{"header:a b", "", false},
		{"user", "", false},
	} {
		k, err := ParseClientKey(c.in)
		if (err == nil) != c.ok || c.ok && k.Header() != c.header {
			t.Errorf("ParseClientKey(%q) = %q, %v; header %q", c.in, k, err, k.Header())
		}
	}
}

// TestClientsOnlyMoveForward: as the share grows, nobody comes back, and the shares
// are what they say.
func TestClientsOnlyMoveForward(t *testing.T) {
	const clients = 20_000
	r := Rollout{Plan: DefaultPlan(), Started: time.Unix(7, 9)}
	before := map[uint64]bool{}
	for _, weight := range []int{1_00, 5_00, 25_00, WholeWeight} {
		n := 0
		for i := range clients {
			h := fnv.New64a()
			h.Write([]byte(strconv.Itoa(i)))
			on := r.OnNewSide(h.Sum64(), weight)
			if before[h.Sum64()] && !on {
				t.Fatalf("client %d moves back at %s", i, Percent(weight))
			}
			before[h.Sum64()] = on
			if on {
				n++
			}
		}
		if want := clients * weight / WholeWeight; n < want*8/10 || n > want*12/10 {
			t.Errorf("%d of %d clients at %s", n, clients, Percent(weight))
		}
	}
}
