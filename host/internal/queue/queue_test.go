package queue

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestMessage: what was encoded comes back, a piece of it does not pass for the whole
// but where only the body is cut, and nothing that is read panics.
func TestMessage(t *testing.T) {
	text := rapid.StringN(0, 50, maxProblem)
	rapid.Check(t, func(t *rapid.T) {
		m := Message{
			Queue: text.Draw(t, "queue"), Key: text.Draw(t, "key"), Problem: text.Draw(t, "problem"), From: text.Draw(t, "from"), Nonce: rapid.Uint32().Draw(t, "nonce"),
			Sent: rapid.Int64().Draw(t, "sent"), Due: rapid.Int64().Draw(t, "due"), Attempts: rapid.IntRange(0, 1000).Draw(t, "attempts"),
			Started: rapid.Bool().Draw(t, "started"), Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		}
		b := m.append(nil)
		got, err := decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Body, m.Body) {
			t.Fatalf("body %q, want %q", got.Body, m.Body)
		}
		got.Body = m.Body
		if diff := cmp.Diff(m, got); diff != "" {
			t.Fatal(diff)
		}
		n := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if _, err := decode(b[:n]); (err == nil) != (n >= len(b)-len(m.Body)) {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
		_, _ = decode(rapid.SliceOf(rapid.Byte()).Draw(t, "anything"))
	})
}

// TestMessageEncoding holds the encoding, which is on disk.
func TestMessageEncoding(t *testing.T) {
	m := Message{Queue: "mail", Key: "k", Nonce: 0x01020304, Sent: 1_700_000_000_000, Due: -1, Attempts: 300, Started: true, Problem: strings.Repeat("p", maxProblem+9), Body: []byte("body")}
	want := "0101" + "01020304" + "ac02" + "80a0abfef962" + "01" + "04" + hex.EncodeToString([]byte("mail")) + "01" + "6b" + "ac02" + strings.Repeat("70", maxProblem) + hex.EncodeToString([]byte("body"))
	if got := hex.EncodeToString(m.append(nil)); got != want {
		t.Errorf("encoded as\n%s, want\n%s", got, want)
	}
	m.From = "shop"
	want = strings.Replace(want, "0101", "0103", 1)
	want = strings.TrimSuffix(want, hex.EncodeToString([]byte("body"))) + "04" + hex.EncodeToString([]byte("shopbody"))
	if got := hex.EncodeToString(m.append(nil)); got != want {
		t.Errorf("of another plugin encoded as\n%s, want\n%s", got, want)
	}
}

func TestID(t *testing.T) {
	id := numbered(0x1f2a)
	m := Message{Nonce: 0x9f3c21aa}
	for _, text := range []string{id.String(), m.Public(id)} {
		if got, err := ParseID(text); err != nil || got != id {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	if m.Public(id) != "0000000000001f2a0000-9f3c21aa" {
		t.Error(m.Public(id))
	}
	for _, text := range []string{"", "12", "0000000000001f2a00", "0000000000001f2a000g", id.String() + "00"} {
		if _, err := ParseID(text); err == nil {
			t.Errorf("%q is an id", text)
		}
	}
}
