package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// payments is a payment service as they are: it takes its time, is away now and then,
// loses answers after it has charged, and declines some. It charges once for each
// Idempotency-Key.
type payments struct {
	url    string
	server http.Server

	mu      sync.Mutex
	answers map[string]int    // by key
	keys    map[string]string // that charged an order, by the order
	twice   []string          // orders that were charged under two keys
	cents   int64             // charged
	asked   int
}

func startPayments() (*payments, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &payments{url: "http://" + listener.Addr().String(), answers: map[string]int{}, keys: map[string]string{}}
	p.server = http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = p.server.Serve(listener) }() // until it is closed
	return p, nil
}

func (p *payments) close() { _ = p.server.Close() }

func (p *payments) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<10))
	key := r.Header.Get("Idempotency-Key")
	order, amount, ok := strings.Cut(string(body), " ")
	cents, wrong := strconv.ParseInt(amount, 10, 64)
	if err != nil || !ok || wrong != nil || key == "" || r.URL.Path != "/charges" {
		http.Error(w, "a charge is an order and an amount, with an Idempotency-Key", http.StatusBadRequest)
		return
	}
	time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
	mood := rand.IntN(100)
	if mood < 3 {
		http.Error(w, "later", http.StatusServiceUnavailable)
		return
	}
	status := p.charge(key, order, cents)
	if mood < 6 {
		panic(http.ErrAbortHandler) // it has charged, and nobody hears of it
	}
	w.WriteHeader(status)
}

// charge charges an order, and declines one of 20.
func (p *payments) charge(key, order string, cents int64) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if status, ok := p.answers[key]; ok {
		return status
	}
	status := http.StatusCreated
	if rand.IntN(20) == 0 {
		status = http.StatusPaymentRequired
	}
	p.answers[key] = status
	if status == http.StatusCreated {
		if _, charged := p.keys[order]; charged {
			p.twice = append(p.twice, order)
		}
		p.keys[order] = key
		p.cents += cents
	}
	return status
}

// state returns how many orders are charged, for how much, and what is wrong.
func (p *payments) state() (orders int, cents int64, asked int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.twice) > 0 {
		err = fmt.Errorf("%d orders are charged twice, the first is %s", len(p.twice), p.twice[0])
	}
	return len(p.keys), p.cents, p.asked, err
}
