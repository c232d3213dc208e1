package webhook

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
)

// The vector of the specification's reference implementations.
const (
	vectorSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID     = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorBody   = `{"test": 2432232314}`
	vectorSign   = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

var vectorTime = time.Unix(1614265330, 0)

func parse(t *testing.T, text string) Secret {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSign(t *testing.T) {
	if got := parse(t, vectorSecret).Sign(vectorID, vectorTime, []byte(vectorBody)); got != vectorSign {
		t.Errorf("signed %q, want %q", got, vectorSign)
	}
}

func TestParse(t *testing.T) {
	key := func(n int) string { return Prefix + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for _, c := range []struct {
		text string
		keys int // 0 = refused
	}{
		{key(24), 1},
		{key(64), 1},
		{" " + key(24) + "  " + key(32) + "\n", 2},
		{strings.Repeat(key(24)+" ", 4), 4},
		{strings.Repeat(key(24)+" ", 5), 0},
		{key(23), 0},
		{key(65), 0},
		{"", 0},
		{" ", 0},
		{"whsec_", 0},
		{strings.TrimPrefix(key(24), Prefix), 0},
		{"whsec_!!!!", 0},
		{key(24) + " other", 0},
	} {
		s, err := Parse(c.text)
		if len(s) != c.keys || (err == nil) != (c.keys > 0) {
			t.Errorf("Parse(%q) has %d keys, %v; want %d", c.text, len(s), err, c.keys)
		}
		if err != nil && strings.Contains(err.Error(), "other") {
			t.Errorf("the error tells the secret: %v", err)
		}
		if err == nil && s.String() != strings.Join(strings.Fields(c.text), " ") {
			t.Errorf("String of %q is %q", c.text, s)
		}
	}
}

func TestVerify(t *testing.T) {
	s := parse(t, vectorSecret)
	other := parse(t, Prefix+base64.StdEncoding.EncodeToString(make([]byte, 32)))
	const stamp = "1614265330"
	for _, c := range []struct {
		about              string
		secret             Secret
		id, at, sign, body string
		now                time.Duration
		want               error
	}{
		{"right", s, vectorID, stamp, vectorSign, vectorBody, 0, nil},
		{"at the edge of the time", s, vectorID, stamp, vectorSign, vectorBody, Tolerance, nil},
		{"from ahead", s, vectorID, stamp, vectorSign, vectorBody, -Tolerance, nil},
		{"too late", s, vectorID, stamp, vectorSign, vectorBody, Tolerance + time.Second, ErrTime},
		{"too early", s, vectorID, stamp, vectorSign, vectorBody, -Tolerance - time.Second, ErrTime},
		{"among others", s, vectorID, stamp, "v1a,xx v1,AAAA " + vectorSign, vectorBody, 0, nil},
		{"while the secret is replaced", append(other, s...), vectorID, stamp, vectorSign, vectorBody, 0, nil},
		{"of another secret", other, vectorID, stamp, vectorSign, vectorBody, 0, ErrSignature},
		{"of an account", s.For("a"), vectorID, stamp, s.For("a").Sign(vectorID, vectorTime, []byte(vectorBody)), vectorBody, 0, nil},
		{"of another account", s.For("b"), vectorID, stamp, s.For("a").Sign(vectorID, vectorTime, []byte(vectorBody)), vectorBody, 0, ErrSignature},
		{"another body", s, vectorID, stamp, vectorSign, vectorBody + " ", 0, ErrSignature},
		{"another id", s, "msg_other", stamp, vectorSign, vectorBody, 0, ErrSignature},
		{"another time", s, vectorID, "1614265331", vectorSign, vectorBody, 0, ErrSignature},
		{"behind too many", s, vectorID, stamp, strings.Repeat("v1,AAAA ", maxSignatures) + vectorSign, vectorBody, 0, ErrSignature},
		{"no id", s, "", stamp, vectorSign, vectorBody, 0, ErrHeader},
		{"no time", s, vectorID, "", vectorSign, vectorBody, 0, ErrHeader},
		{"a time that is none", s, vectorID, "1e9", vectorSign, vectorBody, 0, ErrHeader},
		{"a time beyond all", s, vectorID, "9223372036854775807", vectorSign, vectorBody, 0, ErrTime},
		{"no signature", s, vectorID, stamp, "", vectorBody, 0, ErrHeader},
		{"no secret", nil, vectorID, stamp, vectorSign, vectorBody, 0, ErrSignature},
	} {
		if err := c.secret.Verify(c.id, c.at, c.sign, []byte(c.body), vectorTime.Add(c.now)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.about, err, c.want)
		}
	}
}
