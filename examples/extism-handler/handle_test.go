package main

import (
	"encoding/binary"
	"errors"
	"testing"
)

// fake is a store in memory.
type fake map[string]uint64

func (f fake) add(key string, delta int64) error {
	f[key] += uint64(delta)
	return nil
}

func (f fake) get(key string) ([]byte, bool, error) {
	n, ok := f[key]
	return binary.LittleEndian.AppendUint64(nil, n), ok, nil
}

// broken is a store that is not there.
type broken struct{ fake }

func (broken) add(string, int64) error { return errors.New("denied") }

func TestHandle(t *testing.T) {
	kv := fake{}
	for _, c := range []struct {
		method, page string
		status       int
		body         string
	}{
		{"GET", "home", 404, "nobody was here\n"},
		{"POST", "home", 200, `{"page":"home","visits":1}`},
		{"POST", "home", 200, `{"page":"home","visits":2}`},
		{"GET", "home", 200, `{"page":"home","visits":2}`},
		{"GET", "other", 404, "nobody was here\n"},
	} {
		got, err := handle(request{Method: c.method, Params: map[string]string{"page": c.page}}, kv)
		if err != nil || got.Status != c.status || got.Body != c.body {
			t.Errorf("%s %s: got %+v, %v", c.method, c.page, got, err)
		}
	}
	if _, err := handle(request{Method: "POST"}, broken{}); err == nil {
		t.Error("the store failed and the handler did not")
	}
}
