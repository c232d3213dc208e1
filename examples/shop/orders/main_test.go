package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

// neighbours are a host on which the other plugins and the payment service answer so. It
// notes what they are asked.
type neighbours struct {
	*sdktest.Host
	stock, payments int
	asked           []string
}

func with(stock, payments int) *neighbours {
	n := &neighbours{Host: sdktest.New(routes().Serve), stock: stock, payments: payments}
	n.Queues = map[string]string{"charge": "POST /queues/charge"}
	n.Config = map[string]string{"PAYMENTS": "https://payments.example"}
	n.Service("stock", n.answers("stock", &n.stock))
	n.Service("ledger", n.answers("ledger", nil))
	n.Upstream("https://payments.example", n.answers("payments", &n.payments))
	return n
}

func (n *neighbours) answers(name string, status *int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		text := string(body)
		if name == "payments" {
			_, text, _ = strings.Cut(text, " ") // the order's id is any
		}
		n.asked = append(n.asked, name+r.URL.Path+" "+text)
		if status != nil {
			w.WriteHeader(*status)
		}
	})
}

// wantAsked wants the neighbours to have been asked just so since the last time.
func (n *neighbours) wantAsked(t *testing.T, want ...string) {
	t.Helper()
	if got := strings.Join(n.asked, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("asked\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	n.asked = nil
}

func (n *neighbours) wantTotals(t *testing.T, want string) {
	t.Helper()
	if got := strings.TrimSpace(n.Get("/totals").Text()); got != want {
		t.Errorf("the totals are %s, want %s", got, want)
	}
}

const twoOfTea = `{"item":"tea","units":2}`

func TestAnOrderIsPaid(t *testing.T) {
	n := with(204, 201)
	if res := n.Send("POST", "/", "application/json", twoOfTea); res.Status != 201 || !strings.Contains(res.Text(), `"cents":500,"state":"placed"`) {
		t.Fatal(res)
	}
	n.wantAsked(t, "stock/items/tea/taken 2", `ledger/entries {"from":"customers","to":"sales","cents":500}`)
	n.wantTotals(t, `{"placed":1,"paid":0,"declined":0}`)
	if res := n.Deliver("charge"); res == nil || res.Status != 204 {
		t.Fatal(res)
	}
	n.wantAsked(t, "payments/charges 500", `ledger/entries {"from":"bank","to":"customers","cents":500}`)
	n.wantTotals(t, `{"placed":0,"paid":1,"declined":0}`)
}

func TestADeclinedOrderIsUndone(t *testing.T) {
	n := with(204, 402)
	n.Send("POST", "/", "application/json", twoOfTea)
	n.asked = nil
	if res := n.Deliver("charge"); res == nil || res.Status != 204 {
		t.Fatal(res)
	}
	n.wantAsked(t, "payments/charges 500", "stock/items/tea/returned 2", `ledger/entries {"from":"sales","to":"customers","cents":500}`)
	n.wantTotals(t, `{"placed":0,"paid":0,"declined":1}`)
}

// A payment service that is away is asked again later.
func TestChargedLater(t *testing.T) {
	n := with(204, 503)
	n.Send("POST", "/", "application/json", twoOfTea)
	if res := n.Deliver("charge"); res == nil || res.Status != 502 {
		t.Fatal(res)
	}
	n.wantTotals(t, `{"placed":1,"paid":0,"declined":0}`)
	n.payments = 201
	if res := n.Deliver("charge"); res == nil || res.Status != 204 {
		t.Fatal(res)
	}
	n.wantTotals(t, `{"placed":0,"paid":1,"declined":0}`)
}

// What cannot be ordered leaves nothing behind.
func TestRefusedOrders(t *testing.T) {
	for _, c := range []struct {
		name, body    string
		stock, status int
	}{
		{"sold out", twoOfTea, 409, 409},
		{"not sold here", twoOfTea, 404, 404},
		{"the stock fails", twoOfTea, 500, 502},
		{"nothing", `{"item":"tea","units":0}`, 204, 400},
		{"another path", `{"item":"../tea","units":1}`, 204, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := with(c.stock, 201)
			if res := n.Send("POST", "/", "application/json", c.body); res.Status != c.status {
				t.Errorf("got %v, want %d", res, c.status)
			}
			n.wantTotals(t, `{"placed":0,"paid":0,"declined":0}`)
			if sent := n.Messages("charge"); len(sent) > 0 {
				t.Errorf("messages %v", sent)
			}
		})
	}
}
