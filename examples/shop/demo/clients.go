package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// client of the shop; it keeps a connection for each of its customers.
var client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 256}}

// patient is for what never ends.
var patient = &http.Client{}

// again is how long a customer waits before trying the same once more.
const again = 20 * time.Millisecond

// customers place orders. Each repeats an order under its key until there is an answer,
// whatever happens to the server meanwhile.
type customers struct {
	url     string
	placed  atomic.Int64 // orders with an answer
	soldOut atomic.Int64
	retries atomic.Int64

	mu     sync.Mutex
	orders map[string]bool // that were placed
	err    error
}

// buy places orders until ctx ends; the one under way is finished.
func (c *customers) buy(ctx context.Context, customer int) {
	for n := 0; ctx.Err() == nil; n++ {
		key := fmt.Sprintf("customer-%d-%d-%d", customer, n, rand.Uint64())
		item := []string{"tea", "tea", "tea", "coffee", "coffee", "sugar"}[rand.IntN(6)]
		body := fmt.Sprintf(`{"item":%q,"units":%d}`, item, 1+rand.IntN(3))
		if err := c.place(key, body); err != nil {
			c.fail(err)
			return
		}
	}
}

// place sends an order until it is answered.
func (c *customers) place(key, body string) error {
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(again) {
		status, answer, err := c.send(key, body)
		switch {
		case err != nil || status >= 500 || status == http.StatusTooManyRequests:
			c.retries.Add(1)
		case status == http.StatusCreated:
			return c.took(answer)
		case status == http.StatusConflict:
			c.soldOut.Add(1)
			return nil
		default:
			return fmt.Errorf("an order is answered %d: %s", status, answer)
		}
	}
	return errors.New("an order has no answer after two minutes")
}

func (c *customers) send(key, body string) (status int, answer []byte, err error) {
	req, err := http.NewRequest(http.MethodPost, c.url+"/orders/", strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// took notes an order that was placed.
func (c *customers) took(answer []byte) error {
	var o struct{ ID string }
	if err := json.Unmarshal(answer, &o); err != nil || o.ID == "" {
		return fmt.Errorf("an order is answered %q", answer)
	}
	c.placed.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.orders[o.ID] {
		return fmt.Errorf("two orders are one: %s", o.ID)
	}
	c.orders[o.ID] = true
	return nil
}

func (c *customers) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = errors.Join(c.err, err)
}

func (c *customers) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// item is a line of the stock's page.
type item struct {
	Name       string
	Left, Sold int64
}

// window watches a live page of the shop as a browser does: it connects again when the
// server is gone.
type window struct {
	states atomic.Int64
	last   atomic.Pointer[[]item]
	fails  func(error)
}

// watch follows the stock until ctx ends.
func (w *window) watch(ctx context.Context, url string) {
	for ctx.Err() == nil {
		if err := w.follow(ctx, url); err != nil {
			w.fails(err)
			return
		}
		time.Sleep(again)
	}
}

// follow reads states until the connection ends. Its error is a state that is wrong.
func (w *window) follow(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := patient.Do(req)
	if err != nil {
		return nil // it is away
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok || strings.TrimSpace(data) == "" { // the end of a line that the answer has
			continue
		}
		var items []item
		if err := json.Unmarshal([]byte(data), &items); err != nil {
			return fmt.Errorf("the page shows %.200q: %w", data, err)
		}
		if err := balanced(items); err != nil {
			return err
		}
		w.last.Store(&items)
		w.states.Add(1)
	}
	return nil // whatever ended it, it is followed again
}

// opening is how much of each item there was.
const opening = 400_000

// balanced wants nothing lost and nothing sold that was not there.
func balanced(items []item) error {
	for _, i := range items {
		if i.Left+i.Sold != opening || i.Left < 0 || i.Sold < 0 {
			return fmt.Errorf("the page shows %d of %s left and %d sold, of %d", i.Left, i.Name, i.Sold, opening)
		}
	}
	return nil
}
