package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// TestBackup makes backups under load. What one brings back into another folder, after
// a restore that was killed half way, is a state that clients may have seen: with all
// that was acknowledged before the backup began, and no transfer in part. Versions and
// the audit are there too.
func TestBackup(t *testing.T) {
	t.Parallel()
	s := &shipped{t: t, rng: rand.New(rand.NewPCG(seeded(t), 3)), ledger: newLedger("ledger")}
	s.primary = serve(t, t.TempDir())
	s.primary.deploy("ledger", pack(t, enginetest.Ledger("moved"), "ledger", "[kv]"))
	s.primary.deploy("ledger", pack(t, enginetest.Ledger("moved!"), "ledger", "[kv]"))
	for n := range often(0, 100) { // a million keys
		name := fmt.Sprintf("bulk-%d", n)
		s.primary.deploy(name, pack(t, bulk(), name, "[kv]"))
		if a := s.primary.do("POST", "/"+name+"/", ""); a.status != 200 {
			t.Fatal(a)
		}
	}
	for round := range often(1, 20) {
		s.load()
		without := s.p99(time.Time{})
		file := filepath.Join(t.TempDir(), "backup.tar.zst")
		var made atomic.Bool
		ended, pause := make(chan struct{}), time.Duration(s.rng.IntN(200))*time.Millisecond
		go func() {
			defer close(ended)
			for !made.Load() {
				s.load()
			}
		}()
		time.Sleep(pause)
		began := time.Now()
		_, stderr, code := s.primary.cli("backup", "create", file)
		made.Store(true)
		took := time.Since(began)
		<-ended
		if code != 0 {
			t.Fatalf("backup create: exit code %d\n%s", code, stderr)
		}
		t.Logf("round %d: a backup took %v; 99 of 100 writes took up to %v without it, %v from its begin on", round, took, without, s.p99(began))
		s.primary.mustCLI("", "backup", "verify", file)
		s.checkBackup(file, stated{at: began})
		s.made = nil
	}
	s.ledger.check(s.primary)
}

// p99 is what 99 of 100 transfers took at most that were sent since a time.
func (s *shipped) p99(since time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []time.Duration
	for _, m := range s.made {
		if m.sent.After(since) && !m.acked.IsZero() {
			all = append(all, m.acked.Sub(m.sent))
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)*99/100]
}

// checkBackup restores a backup, kills that half way, does it again and looks into it.
func (s *shipped) checkBackup(file string, st stated) {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), "restored")
	s.killRestore(file, dir)
	if out, err := exec.Command(binary, "serve", "--data", dir, "--check").CombinedOutput(); err == nil || !strings.Contains(string(out), "is half a restore") {
		s.t.Errorf("half a restore may serve: %v\n%s", err, out)
	}
	if out, err := exec.Command(binary, "restore", file, "--data", dir).CombinedOutput(); err != nil {
		s.t.Fatalf("restore: %v\n%s", err, out)
	}
	r := serve(s.t, dir)
	defer r.stop()
	s.checkPrefix(r, st, false)
	for _, of := range []string{"versions", "deployments"} {
		if want, got := s.primary.mustCLI("", of, "ledger", "--json"), r.mustCLI("", of, "ledger", "--json"); got != want {
			s.t.Errorf("%s are %s, want %s", of, got, want)
		}
	}
	r.mustCLI("", "audit", "verify")
	if audit := r.mustCLI("", "audit"); !strings.Contains(audit, "sent to who asked") {
		s.t.Errorf("the audit lacks the backup:\n%s", audit)
	}
	if a := r.do("POST", "/ledger/", "A>D:0"); a.status != 200 || a.body != "moved!" {
		s.t.Errorf("the restored server answers %v", a)
	}
}

// killRestore kills a restore that has read half of its backup.
func (s *shipped) killRestore(file, dir string) {
	s.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(binary, "restore", "-", "--data", dir)
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	if _, err := in.Write(text[:len(text)/2]); err != nil {
		s.t.Error(err)
	}
	s.until("the restore has begun", func() bool {
		_, err := os.Stat(filepath.Join(dir, "modules"))
		return err == nil
	})
}
