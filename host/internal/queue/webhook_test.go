package queue

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWebhook(t *testing.T) {
	for _, w := range []Webhook{
		{URL: "https://example.com/a?b=c", Secret: "key", Account: "acme", Body: []byte("{}")},
		{URL: "https://example.com", Secret: "key", Body: []byte{}},
	} {
		got, err := ReadWebhook(w.Append(nil))
		if diff := cmp.Diff(w, got); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	}
}

func FuzzReadWebhook(f *testing.F) {
	f.Add((&Webhook{URL: "https://example.com", Secret: "key", Account: "a", Body: []byte("{}")}).Append(nil))
	f.Add([]byte{})
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add([]byte{2, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := ReadWebhook(b)
		if err != nil {
			return
		}
		again, err := ReadWebhook(w.Append(nil))
		if diff := cmp.Diff(w, again); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}
