package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// TestShip kills the primary and the standby over and over under load. After each kill
// of the primary a restore into an empty folder, or the standby, has a prefix of what
// clients were told: nothing that was there within the lag that the server stated is
// lost, and no transfer is there without all that were acknowledged before it was made.
func TestShip(t *testing.T) {
	t.Parallel()
	s := &shipped{t: t, place: t.TempDir(), rng: rand.New(rand.NewPCG(seeded(t), 1)), ledger: newLedger("ledger")}
	s.primary = serve(t, t.TempDir(), s.flags()...)
	s.primary.deploy("ledger", pack(t, enginetest.Ledger("moved"), "ledger", "[kv]"))
	for round := range often(3, 60) {
		s.load()
		switch round % 3 {
		case 0: // the primary goes, and comes back on its folder
			at := s.kill()
			s.checkRestored(at)
			s.primary = serve(t, s.primary.dir, s.flags()...)
			s.ledger.check(s.primary)
		case 1: // the standby goes, and comes back
			s.killStandbyEarly()
			s.standby()
			s.load()
			s.follower.kill()
			s.standby()
			s.load()
			s.takeOver(s.kill())
		case 2: // the machine goes: a restore serves in its place
			s.replace(s.kill())
		}
		if t.Failed() {
			t.Fatalf("round %d; the server says:\n%s", round, s.primary.log)
		}
	}
	t.Logf("%d kills, %d transfers, %d of them acknowledged and not shipped yet", s.kills, s.ledger.ids.Load(), s.lost)
}

// shipped is a primary that ships, and perhaps its standby.
type shipped struct {
	t        testing.TB
	place    string
	rng      *rand.Rand
	ledger   *ledger
	primary  *server
	follower *server

	mu    sync.Mutex
	made  map[string]*made // since the last check
	kills int
	lost  int
}

// made is when a transfer was sent and acknowledged, by the clients' clock.
type made struct{ sent, acked time.Time }

// stated is what the primary said of its lag before it was killed.
type stated struct {
	at  time.Time // when it was asked
	lag time.Duration
}

func (s *shipped) flags() []string { return []string{"--ship-to", s.place, "--ship-every", "1s"} }

// load makes transfers for a while.
func (s *shipped) load() {
	s.t.Helper()
	if s.made == nil {
		s.made = map[string]*made{}
	}
	ctx, end := context.WithTimeout(context.Background(), time.Duration(300+s.rng.IntN(900))*time.Millisecond)
	defer end()
	var clients sync.WaitGroup
	for range 4 {
		rng := rand.New(rand.NewPCG(s.rng.Uint64(), 2))
		clients.Go(func() {
			for ctx.Err() == nil {
				s.transfer(rng)
			}
		})
	}
	clients.Wait()
}

func (s *shipped) transfer(rng *rand.Rand) {
	m := &made{sent: time.Now()}
	body := fmt.Sprintf("%c>%c:%d", 'A'+rng.IntN(3), 'D'+rng.IntN(3), s.ledger.ids.Add(1))
	s.ledger.know(body, unanswered)
	s.mu.Lock()
	s.made[body] = m
	s.mu.Unlock()
	a, err := s.primary.try(context.Background(), "POST", "/ledger/", body)
	if err == nil && a.status == 200 {
		s.mu.Lock()
		m.acked = time.Now()
		s.mu.Unlock()
		s.ledger.know(body, done)
	}
}

// kill kills the primary under load, and returns what it said of its lag before.
func (s *shipped) kill() (st stated) {
	s.t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.load()
	}()
	st.at = time.Now()
	var status struct {
		Shipping struct {
			LagMS int64 `json:"lag_ms"`
		}
	}
	s.primary.api(&status, "GET", "/v1/status")
	st.lag = time.Duration(status.Shipping.LagMS) * time.Millisecond
	time.Sleep(time.Duration(s.rng.IntN(300)) * time.Millisecond)
	s.primary.kill()
	s.kills++
	<-ended
	return st
}

// restore fills an empty folder and returns it.
func (s *shipped) restore() string {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), "restored")
	out, err := exec.Command(binary, "restore", s.place, "--data", dir, "--json").CombinedOutput()
	if err != nil {
		s.t.Fatalf("restore: %v\n%s", err, out)
	}
	return dir
}

// checkRestored restores what was shipped and looks into it.
func (s *shipped) checkRestored(st stated) {
	s.t.Helper()
	r := serve(s.t, s.restore())
	s.checkPrefix(r, st, false)
	r.stop()
}

// replace has a restored server take the place of the primary.
func (s *shipped) replace(st stated) {
	s.t.Helper()
	dir := s.restore()
	s.until("the primary is not recent any more", func() bool {
		r, err := tryServe(s.t, dir, s.flags()...)
		if err == nil {
			s.t.Cleanup(r.stop)
			s.primary = r
		}
		return err == nil
	})
	s.checkPrefix(s.primary, st, true)
}

func (s *shipped) until(what string, holds func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := until(ctx, holds); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

// standby starts a standby, on its folder of before if there is one, and waits until
// it could take over.
func (s *shipped) standby() {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), "standby")
	if s.follower != nil {
		dir = s.follower.dir
	}
	cmd := exec.Command(binary, append([]string{"standby", "--from", s.place, "--data", dir, "--public", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, s.flags()[2:]...)...)
	f, ready, err := launchAs(s.t, dir, cmd)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(f.stop)
	select {
	case <-ready:
	case <-f.exited:
		s.t.Fatalf("the standby ended at its start:\n%s", f.log)
	}
	s.follower = f
	s.until("the standby is ready", func() bool {
		var st struct{ Ready bool }
		out, _ := exec.Command(binary, "standby", "status", "--data", dir, "--json").Output()
		return json.Unmarshal(out, &st) == nil && st.Ready
	})
}

// killStandbyEarly kills a standby while it begins.
func (s *shipped) killStandbyEarly() {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), "standby")
	cmd := exec.Command(binary, append([]string{"standby", "--from", s.place, "--data", dir, "--public", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, s.flags()[2:]...)...)
	f, _, err := launchAs(s.t, dir, cmd)
	if err != nil {
		s.t.Fatal(err)
	}
	time.Sleep(time.Duration(s.rng.IntN(150)) * time.Millisecond)
	f.kill()
	s.follower = f
	s.kills++
}

// takeOver has the standby take over, and looks into it.
func (s *shipped) takeOver(st stated) {
	s.t.Helper()
	old := s.primary
	f := s.follower
	if out, err := exec.Command(binary, "standby", "promote", "--force", "--data", f.dir).CombinedOutput(); err != nil {
		s.t.Fatalf("promote: %v\n%s\n%s", err, out, f.log)
	}
	s.until("the standby serves", func() bool {
		a, err := f.try(context.Background(), "GET", "/readyz", "")
		return err == nil && a.status == 200
	})
	token, err := os.ReadFile(filepath.Join(f.dir, "admin.token"))
	if err != nil {
		s.t.Fatal(err)
	}
	f.token = strings.TrimSpace(string(token))
	s.primary, s.follower = f, nil
	s.checkPrefix(f, st, true)
	if _, err := tryServe(s.t, old.dir, s.flags()...); err == nil || !strings.Contains(err.Error(), "has taken over") {
		s.t.Errorf("the old primary starts: %v", err)
	}
}

// checkPrefix compares what is there with what clients know. With keep, clients take
// it for the truth from then on.
func (s *shipped) checkPrefix(r *server, st stated, keep bool) {
	s.t.Helper()
	found := map[string]bool{}
	for _, key := range r.keys("ledger") {
		if len(key) > 1 { // the others are accounts and the count
			found[key] = true
		}
	}
	var last time.Time // when the last one that is there was sent
	for body := range found {
		if m := s.made[body]; m != nil && m.sent.After(last) {
			last = m.sent
		}
	}
	for body, m := range s.made {
		switch {
		case found[body] || m.acked.IsZero():
		case m.acked.Before(last):
			s.t.Errorf("transfer %q was acknowledged %v before one was made that is there, and is lost", body, last.Sub(m.acked))
		case m.acked.Before(st.at.Add(-st.lag)):
			s.t.Errorf("transfer %q was acknowledged %v before the server stated a lag of %v, and is lost", body, st.at.Sub(m.acked), st.lag)
		default:
			s.lost++
		}
	}
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	s.ledger.checkWhole(r, found)
	if !keep {
		return
	}
	for body := range s.ledger.fates {
		s.ledger.fates[body] = dropped
		if found[body] {
			s.ledger.fates[body] = done
		}
	}
	s.made = nil
}
