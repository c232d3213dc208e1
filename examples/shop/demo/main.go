// The command demo has customers buy in the shop while its server is killed over and
// over, and shows that nothing is lost, charged twice or half done. It exits with 1 if
// something is.
//
//	go run ./examples/shop/demo [-for 90s] [-kills 10] [-clients 64]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"time"
)

func main() {
	d := demo{out: os.Stdout, terminal: isTerminal(os.Stdout)}
	flag.DurationVar(&d.lasts, "for", 90*time.Second, "how long customers buy")
	flag.IntVar(&d.kills, "kills", 10, "how often the server is killed meanwhile")
	flag.IntVar(&d.clients, "clients", 64, "customers at a time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := d.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// isTerminal reports whether somebody watches.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// demo is one show.
type demo struct {
	out      io.Writer
	terminal bool
	lasts    time.Duration
	kills    int
	clients  int

	shop      *shop
	payments  *payments
	customers customers
	window    window
	began     time.Time
	killed    int
	away      time.Duration // the longest that the server was
}

// price of a unit, in cents.
const price = 250

func (d *demo) run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "wasmoor-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if d.payments, err = startPayments(); err != nil {
		return err
	}
	defer d.payments.close()
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	fmt.Fprintln(d.out, "Three plugins, orders, stock and ledger, and a payment service that loses answers.")
	fmt.Fprintln(d.out, "Building the server and the plugins ...")
	if d.shop, err = open(ctx, root, dir, d.payments); err != nil {
		return err
	}
	defer d.shop.close()
	fmt.Fprintf(d.out, "The stock as it changes: %s/stock/\n\n", d.shop.url)
	return d.show(ctx)
}

// show has customers buy, kills the server, and checks what is left.
func (d *demo) show(ctx context.Context) error {
	d.customers.url, d.customers.orders = d.shop.url, map[string]bool{}
	d.window.fails = d.customers.fail
	d.began = time.Now()
	watching, close := context.WithCancel(ctx)
	defer close()
	buying, enough := context.WithTimeout(ctx, d.lasts)
	defer enough()
	var all, watcher sync.WaitGroup
	watcher.Go(func() { d.window.watch(watching, d.shop.url+"/stock/items") })
	for n := range d.clients {
		all.Go(func() { d.customers.buy(buying, n) })
	}
	err := d.killing(ctx, buying)
	enough()
	all.Wait()
	if err == nil {
		err = d.settle(ctx)
	}
	close()
	watcher.Wait()
	return errors.Join(err, ctx.Err(), d.customers.failed())
}

// killing kills the server at equal intervals until buying ends, and shows how it goes.
func (d *demo) killing(ctx, buying context.Context) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-buying.Done():
			for d.killed < d.kills && ctx.Err() == nil { // the machine was slow
				if err := d.kill(ctx); err != nil {
					return err
				}
			}
			return ctx.Err()
		case <-tick.C:
		}
		next := d.lasts * time.Duration(d.killed+1) / time.Duration(d.kills+1)
		if d.killed < d.kills && time.Since(d.began) >= next {
			if err := d.kill(ctx); err != nil {
				return err
			}
		}
		if err := d.customers.failed(); err != nil {
			return err
		}
		d.line()
	}
}

func (d *demo) kill(ctx context.Context) error {
	away, err := d.shop.kill(ctx)
	d.killed++
	d.away = max(d.away, away)
	return err
}

// line shows how it goes: on a terminal in one line, else in one each five seconds.
func (d *demo) line() {
	left := int64(0)
	if items := d.window.last.Load(); items != nil {
		for _, i := range *items {
			left += i.Left
		}
	}
	charged, cents, _, _ := d.payments.state()
	text := fmt.Sprintf("%3.0fs  kill -9 x%d  %d orders  %d charged (%.2f)  %d left on the page, %d states seen",
		time.Since(d.began).Seconds(), d.killed, d.customers.placed.Load(), charged, float64(cents)/100, left, d.window.states.Load())
	if d.terminal {
		fmt.Fprint(d.out, "\r\x1b[K"+text)
	} else if time.Since(d.began)%(5*time.Second) < 500*time.Millisecond {
		fmt.Fprintln(d.out, text)
	}
}

// settle waits until every order is charged or declined, and then checks the books.
func (d *demo) settle(ctx context.Context) error {
	if d.terminal {
		fmt.Fprintln(d.out)
	}
	fmt.Fprintln(d.out, "No more customers. The orders that are left are charged ...")
	var t struct{ Placed, Paid, Declined int64 }
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if err := d.get(ctx, "/orders/totals", &t); err != nil {
			return err
		}
		if t.Placed == 0 {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d orders are neither charged nor declined", t.Placed)
		}
	}
	return d.check(ctx, t.Paid, t.Declined)
}

// check compares what the three plugins, the page, the customers and the payment service
// say.
func (d *demo) check(ctx context.Context, paid, declined int64) error {
	var items []item
	var books struct {
		Accounts map[string]int64
		Sum      int64
	}
	err := errors.Join(d.get(ctx, "/stock/items", &items), d.get(ctx, "/ledger/balances", &books))
	if err != nil {
		return err
	}
	sold := int64(0)
	for _, i := range items {
		sold += i.Sold
	}
	charged, cents, asked, twice := d.payments.state()
	placed := d.customers.placed.Load()
	a := books.Accounts
	results := []result{
		{fmt.Sprintf("%d orders were answered, and there are %d", placed, paid+declined), placed == paid+declined},
		{fmt.Sprintf("%d orders are paid, and %d were charged, each once, in %d calls", paid, charged, asked), paid == int64(charged) && twice == nil},
		{fmt.Sprintf("the books add up to %d", books.Sum), books.Sum == 0},
		{fmt.Sprintf("%.2f were charged, the bank has it, and the customers owe %d", float64(cents)/100, -a["customers"]), -a["bank"] == cents && a["customers"] == 0},
		{fmt.Sprintf("%d units are sold, and %d paid for", sold, a["sales"]/price), sold*price == a["sales"]},
		{fmt.Sprintf("the page showed %d states, and all were right; the last is what there is", d.window.states.Load()), d.sees(items)},
	}
	fmt.Fprintf(d.out, "\n%d clients, killed %d times with -9, away for %s at most, %d requests sent again:\n",
		d.clients, d.killed, d.away.Round(time.Millisecond), d.customers.retries.Load())
	for _, r := range results {
		mark := "ok    "
		if !r.ok {
			mark, err = "WRONG ", errors.New("the sums do not hold")
		}
		fmt.Fprintln(d.out, "  "+mark+r.text)
	}
	return err
}

type result struct {
	text string
	ok   bool
}

// sees waits until the page shows items.
func (d *demo) sees(items []item) bool {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(again) {
		last := d.window.last.Load()
		if last != nil && fmt.Sprint(*last) == fmt.Sprint(items) {
			return true
		}
	}
	return false
}

// get reads what a plugin says.
func (d *demo) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.shop.url+path, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s answers %d: %s", path, resp.StatusCode, body)
	}
	return json.Unmarshal(body, into)
}
