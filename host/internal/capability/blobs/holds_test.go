package blobs_test

import (
	"crypto/sha256"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// commit has the effects of the attempt committed.
func (g *guest) commit() {
	g.t.Helper()
	if err := g.Inv.Certify(); err != nil {
		g.t.Fatal(err)
	}
	g.Inv.Leaving().Committed(1)
}

// TestWhatBecomesOfABlob when its request is over, with no sweep.
func TestWhatBecomesOfABlob(t *testing.T) {
	const text = "text"
	for _, c := range []struct {
		name  string
		do    func(*guest)
		there bool
		lost  int64 // bytes that wait for a sweep
	}{
		{"committed", (*guest).commit, true, 0},
		{"aborted", func(g *guest) { g.Inv.Outcome = abi.OutcomeAbort; _ = g.Inv.Certify() }, false, 0},
		{"trapped", func(*guest) {}, false, 0},
		{"to HEAD", func(g *guest) { g.Inv.Request.DropEffects = true; _ = g.Inv.Certify() }, false, 0},
		{"of an unknown outcome", func(g *guest) { _ = g.Inv.Certify() }, true, int64(len(text))},
		{"read and aborted", func(g *guest) { g.call(abi.FnBlobRead, 0, 1, 0, 100, 10) }, false, 0},
		{"deleted and committed", func(g *guest) { g.call(abi.FnBlobDelete, 0, 1); g.commit() }, false, 0},
		{"replaced by itself", func(g *guest) { g.put(0); g.commit() }, true, 0},
		{"of an attempt that conflicts and of one that fails", func(g *guest) { _ = g.Inv.Certify(); g.Inv.End(); g.begin(2) }, false, 0},
		{"of an attempt that conflicts and of one without it", func(g *guest) { _ = g.Inv.Certify(); g.Inv.End(); g.begin(2); g.commit() }, false, 0},
		{"of two attempts", func(g *guest) { _ = g.Inv.Certify(); g.Inv.End(); g.begin(2); g.put(0); g.commit() }, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, nil)
			g := with(t, s, invoke.BodyOf([]byte(text)))
			if got := g.put(0); got != int64(len(text)) {
				t.Fatalf("put: %d", got)
			}
			if st := s.Stats(); st.OpenBytes != int64(len(text)) {
				t.Errorf("while it runs: %+v", st)
			}
			c.do(g)
			g.Inv.End()
			g.Inv.Finish()
			if there, err := s.Has(t.Context(), blob.Digest(sha256.Sum256([]byte(text)))); there != c.there || err != nil {
				t.Errorf("there: %v, %v", there, err)
			}
			if st := s.Stats(); st.OpenBytes != 0 || st.LostBytes != c.lost {
				t.Errorf("charged: %+v", st)
			}
		})
	}
}

// TestWhatLosesItsNameIsCharged until a sweep has come.
func TestWhatLosesItsNameIsCharged(t *testing.T) {
	s := open(t, nil)
	g := with(t, s, invoke.BodyOf([]byte("text")))
	g.named("n", []byte("old bytes"))
	g.call(abi.FnBlobDelete, 0, 1)
	g.put(0)
	g.call(abi.FnBlobDelete, 0, 1)
	g.commit()
	g.Inv.Finish()
	if st := s.Stats(); st.OpenBytes != 0 || st.LostBytes != int64(len("old bytes")) {
		t.Errorf("charged: %+v", st)
	}
	renamed := with(t, s, invoke.BodyOf([]byte("old bytes")))
	renamed.named("n", []byte("old bytes"))
	renamed.Mem[1] = 'm'
	if got := renamed.call(abi.FnBlobPut, 0, 1, 1, 0, 0, 0, 0); got != int64(len("old bytes")) {
		t.Fatalf("put: %d", got)
	}
	renamed.Mem[0] = 'n'
	renamed.call(abi.FnBlobDelete, 0, 1)
	renamed.commit()
	renamed.Inv.Finish()
	if st := s.Stats(); st.LostBytes != int64(len("old bytes")) {
		t.Errorf("after a blob was renamed: %+v", st)
	}
}

// TestPuttingAgainWhatIsThere hides no loss: the bytes were the name's before.
func TestPuttingAgainWhatIsThere(t *testing.T) {
	s := open(t, nil)
	g := with(t, s, invoke.BodyOf([]byte("text")))
	g.named("n", []byte("text"))
	g.put(0)
	g.call(abi.FnBlobDelete, 0, 1)
	g.commit()
	g.Inv.Finish()
	if st := s.Stats(); st.OpenBytes != 0 || st.LostBytes != int64(len("text")) {
		t.Errorf("charged: %+v", st)
	}
}

// TestBytesWithoutANameAreBounded by the quota: in what is written, and over requests.
func TestBytesWithoutANameAreBounded(t *testing.T) {
	const piece, quota = 64 << 10, 1 << 20
	s := open(t, nil)
	written := 0
	for range 3 {
		g := with(t, s, invoke.Body{})
		for range 8 {
			handle := uint64(g.call(abi.FnBlobCreate))
			for range quota / piece {
				if abi.Status(g.call(abi.FnBlobWrite, handle, 0, piece)) != abi.OK {
					break
				}
				written += piece
			}
		}
	}
	if written != quota {
		t.Errorf("requests of one plugin write %d bytes without a name, want %d", written, quota)
	}
}
