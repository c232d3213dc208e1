package egress

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

const blindValue = "sk_live_aaab/aab+aaa\"c"

func blindFor(t *testing.T, at string) *Blinds {
	t.Helper()
	origin, err := plugin.ParseOrigin(at)
	if err != nil {
		t.Fatal(err)
	}
	return NewBlinds([]Blind{{Origin: origin, Header: "Authorization", Format: "Bearer {}", Secret: blindValue}})
}

// callBlind makes a call with blind secrets.
func callBlind(t *testing.T, c *Client, b *Blinds, r abi.HTTPRequest) told {
	t.Helper()
	s := c.Session(Trace{}, kept(t))
	defer s.Close()
	s.Blinds = b
	handle, status, why := s.Open(&r)
	if status != abi.OK {
		t.Fatal(status, why)
	}
	if _, _, err := s.Send(t.Context(), []uint32{handle}); err != nil {
		t.Fatal(err)
	}
	return finish(t, &s, handle)
}

// TestABlindSecretIsPutAndTakenOut: the service gets it, whatever the guest has put in
// its place, and the guest finds it in no part of an answer that echoes it.
func TestABlindSecretIsPutAndTakenOut(t *testing.T) {
	var got []string
	var other string
	at := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Values("Authorization")
		w.Header().Set("X-Echo", strings.Join(got, ","))
		switch r.URL.Path {
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, got[0])
			_ = z.Close()
			return
		case "/leak":
			w.Header().Set("Location", "/?token="+url.QueryEscape(blindValue))
			w.WriteHeader(http.StatusFound)
			return
		case "/spelt":
			w.Header().Set("Location", "/?token="+fmt.Sprintf("%%%x", blindValue[:1])+blindValue[1:])
			w.WriteHeader(http.StatusFound)
			return
		case "/away":
			w.Header().Set("Location", other)
			w.WriteHeader(http.StatusTemporaryRedirect)
			return
		}
		for _, b := range []byte("a " + got[0] + " sk_live_aaa") { // byte by byte
			_, _ = w.Write([]byte{b})
			w.(http.Flusher).Flush()
		}
	})
	elsewhere := 0
	other = upstream(t, func(w http.ResponseWriter, r *http.Request) {
		elsewhere++
		if r.Header.Get("Authorization") != "" {
			t.Errorf("another origin got %q", r.Header.Values("Authorization"))
		}
	})
	c := client(t, nil, at, other)
	b := blindFor(t, at)
	a := callBlind(t, c, b, abi.HTTPRequest{URL: at + "/", Headers: []abi.Pair{{Name: "authorization", Value: "mine"}, {Name: "range", Value: "bytes=0-3"}}})
	if len(got) != 1 || got[0] != "Bearer "+blindValue {
		t.Errorf("the service got %q", got)
	}
	hidden := "Bearer " + strings.Repeat("*", len(blindValue))
	if a.body != "a "+hidden+" sk_live_aaa" || a.header("x-echo") != hidden {
		t.Errorf("the guest got %q and %q", a.body, a.header("x-echo"))
	}
	if a := callBlind(t, c, b, abi.HTTPRequest{URL: at + "/gzip", Headers: []abi.Pair{{Name: "accept-encoding", Value: "gzip"}}}); a.body != hidden {
		t.Errorf("compressed the guest got %q", a.body)
	}
	for _, path := range []string{"/leak", "/spelt"} {
		if a := callBlind(t, c, b, abi.HTTPRequest{URL: at + path}); a.status() != abi.Denied {
			t.Errorf("a redirect with the secret in it, %s: %+v", path, a)
		}
	}
	callBlind(t, c, b, abi.HTTPRequest{URL: at + "/away"})
	callBlind(t, c, b, abi.HTTPRequest{URL: other})
	if elsewhere != 2 {
		t.Errorf("the other origin was asked %d times", elsewhere)
	}
}

// TestMaskingInPieces compares what is read in any pieces with what is masked at once.
func TestMaskingInPieces(t *testing.T) {
	b := blindFor(t, "https://api.example.com")
	pieces := []string{blindValue, blindValue[:9], "aaab", "sk_", url.QueryEscape(blindValue), base64.StdEncoding.EncodeToString([]byte(blindValue)), "text ", "*"}
	for range 300 {
		var text strings.Builder
		for range rand.IntN(12) {
			text.WriteString(pieces[rand.IntN(len(pieces))])
		}
		want := b.masked(text.String())
		for name, r := range map[string]io.Reader{
			"at once": strings.NewReader(text.String()), "by bytes": iotest.OneByteReader(strings.NewReader(text.String())),
			"by halves": iotest.HalfReader(strings.NewReader(text.String())), "with its end": iotest.DataErrReader(strings.NewReader(text.String())),
		} {
			var got bytes.Buffer
			if _, err := io.CopyBuffer(&got, struct{ io.Reader }{&masking{ReadCloser: io.NopCloser(r), blinds: b}}, make([]byte, 1+rand.IntN(7))); err != nil || got.String() != want {
				t.Fatalf("%s: %q became %q, %v, want %q", name, text.String(), got.String(), err, want)
			}
		}
		if strings.Contains(want, blindValue) {
			t.Fatalf("%q still holds the secret", want)
		}
	}
}

// TestEchoesOfABlindSecret: what services make of a header that they tell of.
func TestEchoesOfABlindSecret(t *testing.T) {
	const password = "corr:ct horse/+"
	pair := base64.StdEncoding.EncodeToString([]byte("user:" + password))
	for name, tc := range map[string]struct {
		blind  Blind
		echoes []string
	}{
		"bearer": {Blind{Format: "Bearer {}", Secret: blindValue}, []string{
			blindValue, url.QueryEscape(blindValue), url.PathEscape(blindValue), strings.ToLower(url.QueryEscape(blindValue)),
			base64.StdEncoding.EncodeToString([]byte(blindValue)), base64.StdEncoding.EncodeToString([]byte("Bearer " + blindValue)),
			base64.StdEncoding.EncodeToString([]byte("Authorization: Bearer " + blindValue)), base64.RawURLEncoding.EncodeToString([]byte(`{"a":"Bearer ` + blindValue + `"}`)),
		}},
		"basic": {Blind{Format: "Basic {}", Secret: pair}, []string{
			pair, "user:" + password, password, url.QueryEscape(password), url.PathEscape("user:" + password), "basic " + pair,
			base64.StdEncoding.EncodeToString([]byte(password)), base64.StdEncoding.EncodeToString([]byte("Basic " + pair)),
		}},
		"in JSON of PHP and of .NET": {Blind{Format: "Bearer {}", Secret: "ab/cd+ef\"gh<é>"}, []string{
			`ab\/cd+ef\"gh<\u00e9>`, `ab\/cd+ef\"gh<é>`, `ab/cd\u002Bef\u0022gh\u003C\u00E9\u003E`, `ab/cd+ef\"gh<\u00e9>`,
		}},
		"basic in the secret": {Blind{Format: "{}", Secret: "basic " + pair}, []string{pair, password, "user:" + password}},
	} {
		t.Run(name, func(t *testing.T) {
			b := NewBlinds([]Blind{tc.blind})
			for _, echo := range tc.echoes {
				masked := b.masked("before " + echo + " after")
				if !strings.HasPrefix(masked, "before ") || !strings.HasSuffix(masked, " after") || strings.Count(masked, "*") < minBlind || strings.Contains(masked, echo[len(echo)/3:2*len(echo)/3]) {
					t.Errorf("%q became %q", echo, masked)
				}
			}
		})
	}
	if got := NewBlinds([]Blind{{Format: "Basic {}", Secret: base64.StdEncoding.EncodeToString([]byte("username:abc"))}}).masked("say abc"); got != "say abc" {
		t.Errorf("a short password is masked in other texts: %q", got)
	}
}
