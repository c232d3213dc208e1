package session_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
	"github.com/wasmoor/wasmoor/sdk/session"
)

// plugin is a host that runs what a test wants in a request.
type plugin struct {
	*sdktest.Host
	t *testing.T
	f func() error
}

func newPlugin(t *testing.T) *plugin {
	p := &plugin{t: t}
	p.Host = sdktest.New(func(*sdk.Response, *sdk.Request) error { return p.f() })
	return p
}

// within runs f in a request of its own, some time after the one before.
func (p *plugin) within(after time.Duration, f func() error) *sdktest.Result {
	p.t.Helper()
	p.Now, p.f = p.Now.Add(after), f
	res := p.Get("/")
	if res.Status != 200 {
		p.t.Errorf("got %v %v", res, res.Logs)
	}
	return res
}

const (
	keyA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	keyB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestSealed(t *testing.T) {
	p := newPlugin(t)
	s := session.Sealed{Keys: []string{keyA}, Life: kv.Hour}
	var value string
	p.within(0, func() (err error) {
		value, err = s.Seal([]byte("ada"))
		return err
	})
	open := func(s session.Sealed, value string) (got string) {
		p.within(0, func() error {
			data, ok, err := s.Open(value)
			if ok {
				got = string(data)
			}
			return err
		})
		return got
	}
	for name, c := range map[string]struct {
		with  session.Sealed
		value string
		want  string
	}{
		"as it is":         {s, value, "ada"},
		"after a new key":  {session.Sealed{Keys: []string{keyB, keyA}}, value, "ada"},
		"of another key":   {session.Sealed{Keys: []string{keyB}}, value, ""},
		"of another name":  {session.Sealed{Keys: []string{keyA}, Name: "remember"}, value, ""},
		"nothing":          {s, "", ""},
		"cut":              {s, value[:len(value)-4], ""},
		"longer":           {s, value + "AAAA", ""},
		"another version":  {s, "Ag" + value[2:], ""},
		"changed":          {s, value[:40] + flip(value[40:41]) + value[41:], ""},
		"no base64":        {s, "{}" + value[2:], ""},
		"with line breaks": {s, value + "\n", "ada"}, // no cookie has any
		"very long":        {s, strings.Repeat("A", 1<<20), ""},
	} {
		if got := open(c.with, c.value); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	p.Now = p.Now.Add(time.Hour - time.Second)
	if got := open(s, value); got != "ada" {
		t.Errorf("shortly before its end: got %q", got)
	}
	p.Now = p.Now.Add(time.Second)
	if got := open(s, value); got != "" {
		t.Errorf("at its end: got %q", got)
	}
}

func flip(s string) string {
	if s == "A" {
		return "B"
	}
	return "A"
}

func TestSealedHidesAndVaries(t *testing.T) {
	newPlugin(t).within(0, func() error {
		s := session.Sealed{Keys: []string{keyA}}
		one, _ := s.Seal([]byte("user=ada"))
		two, _ := s.Seal([]byte("user=ada"))
		raw, err := base64.RawURLEncoding.DecodeString(one)
		if one == two || bytes.Contains(raw, []byte("ada")) {
			t.Errorf("got %q and %q", one, two)
		}
		return err
	})
}

func TestSealedBounds(t *testing.T) {
	newPlugin(t).within(0, func() error {
		s := session.Sealed{Keys: []string{keyA}}
		value, err := s.Seal(make([]byte, 3029))
		if err != nil {
			t.Errorf("the largest: %v", err)
		}
		if _, err := s.Cookie(value).Field(); err != nil {
			t.Errorf("the largest cookie: %v", err)
		}
		if _, err := s.Seal(make([]byte, 3030)); !errors.Is(err, session.ErrTooLarge) {
			t.Errorf("too large: got %v", err)
		}
		for _, keys := range [][]string{nil, {"short"}, {keyA, "short"}} {
			s.Keys = keys
			if _, err := s.Seal(nil); err == nil || strings.Contains(err.Error(), keyA) {
				t.Errorf("sealed with %q: %v", keys, err)
			}
			if _, _, err := s.Open(value); err == nil {
				t.Errorf("opened with %q", keys)
			}
		}
		return nil
	})
}

// FuzzSealed opens what clients send: nothing but what was sealed.
func FuzzSealed(f *testing.F) {
	s := session.Sealed{Keys: []string{keyA, keyB}}
	good, err := s.Seal([]byte("data"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("AQ")
	f.Add("")
	f.Fuzz(func(t *testing.T, value string) {
		if data, ok, err := s.Open(value); err != nil || ok && string(data) != "data" {
			t.Errorf("%q opens as %q, %v", value, data, err)
		}
	})
}

// found is what Find says of a token.
func (p *plugin) found(s session.Stored, token string) (user string, res *sdktest.Result) {
	p.t.Helper()
	res = p.within(0, func() error {
		v, err := s.Find(token)
		if user = ""; v != nil {
			user = v.User + "=" + string(v.Data)
		}
		return err
	})
	return user, res
}

func (p *plugin) start(s session.Stored, old, user, data string) (token string) {
	p.t.Helper()
	p.within(0, func() (err error) {
		token, err = s.Start(old, user, []byte(data))
		return err
	})
	return token
}

func TestStored(t *testing.T) {
	p := newPlugin(t)
	var s session.Stored
	first := p.start(s, "", "ada", "1")
	if got, res := p.found(s, first); got != "ada=1" || res.Outcome != sdktest.None {
		t.Errorf("got %q, %v", got, res)
	}
	second := p.start(s, first, "ada", "2")
	if got, _ := p.found(s, first); got != "" || first == second {
		t.Errorf("after the next: got %q", got)
	}
	p.within(0, func() error {
		if ok, err := s.Save(second, []byte("3")); !ok || err != nil {
			t.Errorf("Save: %v, %v", ok, err)
		}
		ok, err := s.Save(first, nil)
		if ok {
			t.Error("saved to a session that has ended")
		}
		return err
	})
	if got, _ := p.found(s, second); got != "ada=3" {
		t.Errorf("after Save: got %q", got)
	}
	p.within(0, func() error { return s.End(second) })
	if got, _ := p.found(s, second); got != "" {
		t.Errorf("after End: got %q", got)
	}
	if n := len(p.Store.Keys("")); n != 0 {
		t.Errorf("%d keys are left", n)
	}
}

// TestStoredKeepsNoToken: who reads the store cannot make a cookie of it.
func TestStoredKeepsNoToken(t *testing.T) {
	p := newPlugin(t)
	token := p.start(session.Stored{}, "", "ada", "")
	raw, _ := base64.RawURLEncoding.DecodeString(token)
	secret := base64.RawURLEncoding.EncodeToString(raw[16:])
	for _, key := range p.Store.Keys("") {
		value, _ := p.Store.Get(key)
		if all := key + string(value); strings.Contains(all, secret) || strings.Contains(all, token) || strings.Contains(all, string(raw[16:])) {
			t.Errorf("the store has the secret: %q", all)
		}
	}
}

func TestForeignTokens(t *testing.T) {
	p := newPlugin(t)
	var s session.Stored
	token := p.start(s, "", "ada", "")
	for _, foreign := range []string{
		"", "x", token[:63], token + "A", flip(token[:1]) + token[1:], token[:63] + flip(token[63:]), strings.Repeat("A", 64), strings.Repeat("/", 64),
		"\n" + token[1:], strings.Repeat("é", 32), strings.Repeat("A", 1<<20),
	} {
		if got, _ := p.found(s, foreign); got != "" {
			t.Errorf("%.80q is a session of %q", foreign, got)
		}
		p.within(0, func() error { return s.End(foreign) })
	}
	if got, _ := p.found(s, token); got != "ada=" {
		t.Errorf("got %q", got)
	}
}

// TestStoredEnds: an idle session ends, one in use goes on until Max, and few uses
// write.
func TestStoredEnds(t *testing.T) {
	p := newPlugin(t)
	s := session.Stored{Idle: 80 * kv.Minute, Max: 24 * kv.Hour}
	idle, used := p.start(s, "", "ada", ""), p.start(s, "", "bob", "")
	writes, uses := 0, 0
	begin := p.Now
	for p.Now = p.Now.Add(time.Minute); p.Now.Before(begin.Add(24 * time.Hour)); p.Now = p.Now.Add(time.Minute) {
		got, res := p.found(s, used)
		if uses++; got != "bob=" {
			t.Fatalf("after %s: got %q", p.Now.Sub(begin), got)
		}
		if res.Outcome == sdktest.Committed {
			writes++
		}
	}
	if got, _ := p.found(s, used); got != "" {
		t.Errorf("after Max: got %q", got)
	}
	if writes == 0 || writes > uses/10 {
		t.Errorf("%d of %d uses wrote", writes, uses)
	}
	if got, _ := p.found(s, idle); got != "" {
		t.Errorf("idle: got %q", got)
	}
}

func TestStoredIdle(t *testing.T) {
	for age, want := range map[time.Duration]string{79 * time.Minute: "ada=", 80 * time.Minute: "ada=", 90 * time.Minute: ""} {
		p := newPlugin(t)
		s := session.Stored{Idle: 80 * kv.Minute, Store: forever{}}
		token := p.start(s, "", "ada", "")
		p.Now = p.Now.Add(age)
		if got, _ := p.found(s, token); got != want {
			t.Errorf("after %v: got %q, want %q", age, got, want)
		}
	}
}

// forever is the plugin's store without times to live.
type forever struct{}

func (forever) Get(key string) ([]byte, bool, error)            { return kv.Get(key) }
func (forever) SetTTL(key string, value []byte, _ kv.TTL) error { return kv.Set(key, value) }
func (forever) Delete(key string) error                         { return kv.Delete(key) }
func (forever) List(q kv.Query) ([]kv.Entry, bool, error)       { return kv.List(q) }

// TestUseAndLogoutAtOnce: a session that ends while another of its requests is about
// to prolong it stays ended.
func TestUseAndLogoutAtOnce(t *testing.T) {
	p := newPlugin(t)
	s := session.Stored{Idle: kv.Hour}
	token := p.start(s, "", "ada", "")
	p.Now = p.Now.Add(30 * time.Minute)
	key := p.Store.Keys("")[0]
	p.BeforeCommit = func(attempt int) {
		if attempt == 1 {
			p.Store.Delete(key)
		}
	}
	if got, res := p.found(s, token); got != "" || res.Attempts != 2 {
		t.Errorf("got %q, %v", got, res)
	}
	if n := len(p.Store.Keys("")); n != 0 {
		t.Errorf("%d keys", n)
	}
}

func TestSessionsOfAUser(t *testing.T) {
	p := newPlugin(t)
	var s session.Stored
	one, two, other := p.start(s, "", "ada", "phone"), p.start(s, "", "ada", "desk"), p.start(s, "", "a", "da")
	list := func(user string) (data []string) {
		p.within(0, func() error {
			list, err := s.List(user)
			for _, v := range list {
				data = append(data, string(v.Data))
			}
			slices.Sort(data)
			return err
		})
		return data
	}
	if got := list("ada"); !slices.Equal(got, []string{"desk", "phone"}) {
		t.Errorf("got %q", got)
	}
	p.within(0, func() error {
		v, err := s.Find(one)
		if err != nil {
			return err
		}
		return errors.Join(s.EndOne("a", v.ID), s.EndOne("ada", ""), s.EndOne("ada", strings.Repeat("x", 5000)), s.EndOne("ada", v.ID))
	})
	if got := list("ada"); !slices.Equal(got, []string{"desk"}) {
		t.Errorf("after EndOne: got %q", got)
	}
	p.within(0, func() error { return s.EndAll("ada") })
	if got, _ := p.found(s, two); got != "" {
		t.Errorf("after EndAll: got %q", got)
	}
	if got, _ := p.found(s, other); got != "a=da" {
		t.Errorf("another user's: got %q", got)
	}
}

func TestStoredBounds(t *testing.T) {
	newPlugin(t).within(0, func() error {
		var s session.Stored
		token, err := s.Start("", "ada", make([]byte, 64<<10))
		if err != nil {
			t.Error(err)
		}
		if _, err := s.Start("", "ada", make([]byte, 64<<10+1)); !errors.Is(err, session.ErrTooLarge) {
			t.Errorf("got %v", err)
		}
		if _, err := s.Save(token, make([]byte, 64<<10+1)); !errors.Is(err, session.ErrTooLarge) {
			t.Errorf("got %v", err)
		}
		return nil
	})
}

func TestCookie(t *testing.T) {
	for _, c := range []struct {
		cookie sdk.Cookie
		want   string
	}{
		{session.Stored{}.Cookie("token"), "session=token; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax"},
		{session.Stored{Name: "s", Max: kv.Hour}.Cookie(""), "s=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"},
		{session.Sealed{Life: kv.Hour}.Cookie("v"), "session=v; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"},
	} {
		if got, err := c.cookie.Field(); got != c.want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, c.want)
		}
	}
}
