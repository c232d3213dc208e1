package logs_test

import (
	"bytes"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/logs"
)

// records is a log as text, without times.
type records struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (r *records) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.Write(b)
}

func (r *records) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.out.Reset()
	return r.out.String()
}

func (r *records) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

// A plugin's lines are bounded by their bytes, its failures by their number; what was
// dropped is told 10 s later, also when the plugin is silent by then.
func TestFloods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var host, lines records
		f := logs.NewFloods(host.logger(), nil)
		bad, good := f.Source("bad"), f.Source("good")
		log := bad.Logger(lines.logger()).With("plugin", "bad")
		for range 10_000 {
			log.Info(strings.Repeat("x", 1000), slog.Group("guest", "k", strings.Repeat("y", 1000)))
		}
		kept := strings.Count(lines.take(), "\n")
		if least, most := logs.BytesAtOnce/2500, logs.BytesAtOnce/2000; kept < least || kept > most {
			t.Errorf("kept %d lines of 2 KB at once, want %d to %d", kept, least, most)
		}
		failed := 0
		for range 54_000 {
			if bad.Failed() {
				failed++
			}
		}
		if failed != logs.FailuresAtOnce {
			t.Errorf("%d lines of failures at once, want %d", failed, logs.FailuresAtOnce)
		}
		good.Logger(lines.logger()).Info("good")
		if got := lines.take(); got != "level=INFO msg=good\n" || !good.Failed() {
			t.Errorf("the other plugin's lines: %q", got)
		}
		if got := host.take(); got != "" {
			t.Errorf("told at once: %q", got)
		}
		time.Sleep(11 * time.Second)
		want := `level=WARN msg="more lines of a plugin were dropped in the last 10 s" plugin=bad lines=` +
			strconv.Itoa(10_000-kept) + " failed_requests=" + strconv.Itoa(54_000-failed) + "\n"
		if got := host.take(); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		log.Info("again")
		if got := lines.take(); got != "level=INFO msg=again plugin=bad\n" || !bad.Failed() {
			t.Errorf("after a rest: %q", got)
		}
		time.Sleep(time.Hour)
		f.Close()
		if got := host.take(); got != "" {
			t.Errorf("told again: %q", got)
		}
	})
}

// Close tells what was dropped since the last time.
func TestFloodsAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var host records
		f := logs.NewFloods(host.logger(), nil)
		s := f.Source("bad")
		for range logs.FailuresAtOnce + 5 {
			s.Failed()
		}
		f.Close()
		if got := host.take(); !strings.HasSuffix(got, "plugin=bad lines=0 failed_requests=5\n") {
			t.Errorf("got %q", got)
		}
	})
}

func TestNoFloods(t *testing.T) {
	var f *logs.Floods
	s := f.Source("x")
	log := slog.New(slog.DiscardHandler)
	if s.Logger(log) != log || !s.Failed() {
		t.Error("without Floods something is bounded")
	}
}
