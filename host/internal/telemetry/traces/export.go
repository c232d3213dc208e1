package traces

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

const (
	maxQueue = 4096 // spans that wait
	maxBatch = 512  // spans that are sent at a time

	attempts  = 5 // to send a batch
	firstWait = time.Second
	maxWait   = 30 * time.Second // whatever the collector asks for

	maxAnswer = 64 << 10 // bytes of an answer that are read
	lastTry   = 3 * time.Second
)

// exporter sends spans to a collector, from a goroutine of its own. Spans that find no
// room, or that the collector does not take, are dropped and counted; the log says so
// once until it works again.
type exporter struct {
	cfg    Config
	log    *slog.Logger
	client *http.Client

	queue         chan sdk.ReadOnlySpan
	sent, dropped atomic.Int64
	told          atomic.Bool // the log knows that spans are dropped

	stop   context.CancelFunc // ends what waits
	ctx    context.Context    //nolint:containedctx // the goroutine's
	ended  chan struct{}      // closed by Shutdown
	done   chan struct{}      // closed when the goroutine has ended
	ending sync.Once
}

func newExporter(cfg Config, log *slog.Logger) *exporter {
	ctx, stop := context.WithCancel(context.Background())
	e := &exporter{
		cfg: cfg, log: log, queue: make(chan sdk.ReadOnlySpan, maxQueue),
		ctx: ctx, stop: stop, ended: make(chan struct{}), done: make(chan struct{}),
		client: &http.Client{
			// A collector elsewhere would be told the headers, which hold a key.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConns: 2, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true},
		},
	}
	go e.run()
	return e
}

// OnStart implements sdk.SpanProcessor.
func (e *exporter) OnStart(context.Context, sdk.ReadWriteSpan) {}

// OnEnd implements sdk.SpanProcessor. It never waits.
func (e *exporter) OnEnd(s sdk.ReadOnlySpan) {
	select {
	case <-e.ended:
		e.dropped.Add(1)
		return
	default:
	}
	select {
	case e.queue <- s:
	default:
		e.drop(1, errFull)
	}
}

var errFull = errors.New("more spans come than are sent")

// drop counts spans that the collector will not have.
func (e *exporter) drop(n int, why error) {
	total := e.dropped.Add(int64(n))
	if !e.told.Swap(true) {
		e.log.Warn("traces are incomplete: spans are dropped; the log says when they are sent again", "dropped", total, "error", why)
	}
}

// ForceFlush implements sdk.SpanProcessor. Nobody needs it.
func (e *exporter) ForceFlush(context.Context) error { return nil }

// Shutdown implements sdk.SpanProcessor: it sends what waits, for a moment.
func (e *exporter) Shutdown(ctx context.Context) error {
	e.ending.Do(func() { close(e.ended) })
	late := time.AfterFunc(lastTry, e.stop)
	defer late.Stop()
	defer e.client.CloseIdleConnections()
	select {
	case <-e.done:
		return nil
	case <-ctx.Done():
		e.stop()
		<-e.done
		return ctx.Err()
	}
}

func (e *exporter) run() {
	defer close(e.done)
	defer e.stop()
	batch := make([]sdk.ReadOnlySpan, 0, maxBatch)
	for ended := false; !ended; {
		batch, ended = e.collect(batch[:0])
		e.export(batch)
		clear(batch)
	}
	for { // what came before the end
		if batch = e.waiting(batch[:0]); len(batch) == 0 {
			return
		}
		e.export(batch)
	}
}

// collect waits for spans: until a batch is full, or for a while after the first.
func (e *exporter) collect(batch []sdk.ReadOnlySpan) (_ []sdk.ReadOnlySpan, ended bool) {
	var due <-chan time.Time
	for len(batch) < maxBatch {
		select {
		case s := <-e.queue:
			batch = append(batch, s)
			if due == nil {
				due = time.After(e.cfg.Delay)
			}
		case <-due:
			return batch, false
		case <-e.ended:
			return batch, true
		}
	}
	return batch, false
}

// waiting returns spans that wait already.
func (e *exporter) waiting(batch []sdk.ReadOnlySpan) []sdk.ReadOnlySpan {
	for len(batch) < maxBatch {
		select {
		case s := <-e.queue:
			batch = append(batch, s)
		default:
			return batch
		}
	}
	return batch
}

// export sends a batch, again if that may help, or drops it.
func (e *exporter) export(batch []sdk.ReadOnlySpan) {
	if len(batch) == 0 {
		return
	}
	body, err := e.encode(batch)
	if err != nil {
		e.drop(len(batch), err)
		return
	}
	wait := firstWait
	for n := 1; ; n++ {
		a := e.post(body)
		if a.err == nil {
			e.arrived(len(batch), a)
			return
		}
		if !a.again || n == attempts {
			e.drop(len(batch), a.err)
			return
		}
		select {
		case <-time.After(max(wait, a.after)):
		case <-e.ended: // there is one more try
			n = max(n, attempts-1)
		}
		wait *= 2
	}
}

// arrived notes that the collector has a batch, but for spans that it refuses.
func (e *exporter) arrived(n int, a answer) {
	refused := min(max(int(a.refused), 0), n)
	e.sent.Add(int64(n - refused))
	if refused > 0 {
		e.drop(refused, fmt.Errorf("the collector refuses them: %.256q", a.why))
		return
	}
	if e.told.Swap(false) {
		e.log.Info("spans are sent again", "dropped", e.dropped.Load())
	}
}

// answer is what became of an attempt to send.
type answer struct {
	err     error
	again   bool          // it may help to send again,
	after   time.Duration // but no sooner
	refused int64         // spans that were not taken, and why
	why     string
}

func (e *exporter) post(body []byte) answer {
	ctx, cancel := context.WithTimeout(e.ctx, e.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	req.Header = e.cfg.Header.Clone()
	req.Header.Set("Content-Type", "application/x-protobuf")
	if e.cfg.Gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return answer{err: err, again: e.ctx.Err() == nil}
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case resp.StatusCode == http.StatusOK && err == nil:
		return taken(text)
	case resp.StatusCode/100 == 2:
		return answer{}
	}
	return answer{
		err:   fmt.Errorf("the collector answers %s", resp.Status),
		again: mayPass(resp.StatusCode), after: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
}

// mayPass reports whether to send again may help, as the standard says.
func mayPass(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryAfter reads seconds or a time, and is never long.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxWait)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxWait)
	}
	return 0
}

func compress(body []byte) ([]byte, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	err := w.Close()
	return out.Bytes(), err
}
