package e2e

import (
	"flag"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// messagesOfAWave is how many messages a row of BenchmarkQueue sends and handles.
var messagesOfAWave = flag.Int("messages", 50_000, "that each wave of BenchmarkQueue sends")

// BenchmarkQueue has 64 clients send messages, one in a commit or a hundred, and the
// plugin handle each in a commit of its own that adds to a key. .ci/river/run has River
// do the same on Postgres. With -soak there are ten waves of a hundred, in one store:
// none may be slower for those before it, and the disk must not grow with what is gone.
// make soak has them send ten million messages.
func BenchmarkQueue(b *testing.B) {
	s := serve(b, b.TempDir(), "--log-level", "warn")
	s.deploy("jobs", pack(b, goGuest(b, "testdata/queuebench"), "jobs", "[kv]", "[queue.jobs]", `request = "POST /queues/jobs"`,
		"concurrency = 100", "[limits]", "concurrency = 256"))
	sizes := []int{1, 100}
	if *soak {
		sizes = []int{100, 100, 100, 100, 100, 100, 100, 100, 100, 100}
	}
	for b.Loop() {
		for _, together := range sizes {
			s.wave(b, together)
		}
	}
	b.ReportMetric(0, "ns/op") // of a whole run: it means nothing
}

// wave sends messages and waits until all are handled.
func (s *server) wave(b *testing.B, together int) {
	b.Helper()
	before := s.handledSum(b)
	total := int64(*messagesOfAWave)
	var next, refused atomic.Int64
	begin := time.Now()
	var producers sync.WaitGroup
	for range 64 {
		producers.Go(func() {
			for {
				from := next.Add(int64(together)) - int64(together)
				if from >= total {
					return
				}
				path := fmt.Sprintf("/jobs/send/%d/%d", from, min(from+int64(together), total))
				for {
					a, err := s.try(b.Context(), "POST", path, "")
					if err != nil {
						b.Error(err)
						return
					}
					if a.status == 200 {
						break
					}
					refused.Add(1) // the queue is full
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	producers.Wait()
	sent := time.Since(begin)
	for end := time.Now().Add(time.Hour); s.handledSum(b)-before < total; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("%d of %d messages are handled", s.handledSum(b)-before, total)
		}
	}
	took := time.Since(begin)
	if got := s.handledSum(b) - before; got != total {
		b.Errorf("%d messages were handled %d times", total, got)
	}
	// One line, for a benchmark's log has ten at most.
	b.Logf("wasmoor, %d a commit: %d messages, %.0f sent/s (%d refused and sent again), %.0f sent and handled/s; %d MiB on disk, %d KiB in tables; then one at a time: median %s from the send to its end",
		together, total, float64(total)/sent.Seconds(), refused.Load(), float64(total)/took.Seconds(), sizeOnDisk(b, s.dir, "")>>20, sizeOnDisk(b, s.dir, ".sst")>>10, s.oneAtATime(b))
}

// oneAtATime returns how long a message takes, by the median, with nothing else to do: it
// is sent by an operator, taken, and handled. What has been in the queue before must not
// slow that down.
func (s *server) oneAtATime(b *testing.B) time.Duration {
	b.Helper()
	var took []time.Duration
	for range 101 {
		begin := time.Now()
		var sent struct{ State string }
		if err := s.tryAPI(b.Context(), &sent, "POST", "/v1/plugins/jobs/queues/jobs/messages?wait=10s", []byte("0")); err != nil || sent.State != "handled" {
			b.Fatalf("%+v, %v", sent, err)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// handledSum returns how often messages were handled.
func (s *server) handledSum(b *testing.B) int64 {
	b.Helper()
	n, err := strconv.ParseInt(s.get("/jobs/sum").body, 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// sizeOnDisk returns how many bytes the files below dir have whose names end so.
func sizeOnDisk(b *testing.B, dir, suffix string) (bytes int64) {
	b.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, suffix) {
			return nil // a file that was compacted away meanwhile
		}
		if info, err := d.Info(); err == nil {
			bytes += info.Size()
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return bytes
}
