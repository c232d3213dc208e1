// Rates converts euros with the daily rates of the European Central Bank. It shows
// the outbound cache: the handler asks the bank in every request, and the host
// answers from what it has kept while that is good.
package main

import (
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/fetch"
)

// source changes once a working day. The bank says how long a copy is good, or
// answers 304 when the host asks whether its copy still is.
const source = "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml"

// maxSource is far above the size of the bank's file.
const maxSource = 64 << 10

func init() { sdk.Handle(routes().Serve) }

func main() {}

func routes() *sdk.Router {
	r := sdk.NewRouter()
	r.HandleFunc("GET /{amount}/{currency}", convert)
	return r
}

// convert answers what an amount of euros is in another currency.
func convert(w *sdk.Response, r *sdk.Request) error {
	amount, err := strconv.ParseFloat(r.PathValue("amount"), 64)
	if err != nil {
		return sdk.Error(400, "the amount is a number, as in /12.50/USD")
	}
	rates, err := daily()
	if err != nil {
		return err
	}
	rate, ok := find(rates, r.PathValue("currency"))
	if !ok {
		return sdk.Error(404, "the bank has no rate for this currency")
	}
	return w.Text(200, strconv.FormatFloat(amount*rate, 'f', 2, 64)+"\n")
}

// daily returns the bank's file.
func daily() (string, error) {
	resp, err := fetch.Get(source)
	if err != nil {
		return "", sdk.Error(502, "the bank does not answer")
	}
	if resp.Status != 200 {
		return "", sdk.Error(502, "the bank answers "+strconv.Itoa(resp.Status))
	}
	body, err := resp.Bytes(maxSource)
	return string(body), err
}

// find returns a currency's rate in lines like <Cube currency='USD' rate='1.0815'/>.
func find(rates, currency string) (float64, bool) {
	_, rest, _ := strings.Cut(rates, "currency='"+currency+"' rate='")
	text, _, _ := strings.Cut(rest, "'")
	rate, err := strconv.ParseFloat(text, 64)
	return rate, err == nil
}
