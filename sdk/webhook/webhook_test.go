package webhook_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
	"github.com/wasmoor/wasmoor/sdk/webhook"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// routes sends what it is told to, and takes what acme's secret has signed.
func routes() *sdk.Router {
	r := sdk.NewRouter()
	r.HandleFunc("POST /send", func(w *sdk.Response, r *sdk.Request) error {
		q := r.Query()
		if err := webhook.SendTo(q.Get("url"), []byte(q.Get("body")), q.Get("secret"), q.Get("account")); err != nil {
			w.SetStatus(422)
			_, err = w.WriteString(err.Error())
			return err
		}
		if q.Get("abort") != "" {
			return errors.New("it fails")
		}
		return nil
	})
	r.HandleFunc("POST /receive", func(w *sdk.Response, r *sdk.Request) error {
		body, err := r.Body(webhook.MaxBody)
		if err != nil {
			return err
		}
		own, err := webhook.SecretFor(secret, "acme")
		if err != nil {
			return err
		}
		if err := webhook.Verify(r, body, own); err != nil {
			w.SetStatus(401)
			_, err = w.WriteString(err.Error())
			return err
		}
		_, err = w.WriteString(webhook.ID(r))
		return err
	})
	return r
}

func newHost() *sdktest.Host {
	host := sdktest.New(routes().Serve)
	host.Queues = map[string]string{"webhooks": ""}
	host.Secrets = map[string]string{"signing": secret}
	host.Public = true
	return host
}

func TestSend(t *testing.T) {
	host := newHost()
	for _, query := range []string{
		"url=https://example.com/hook&body=one&secret=signing", "url=https://example.com/hook&body=two&secret=signing&account=acme",
	} {
		if res := host.Send("POST", "/send?"+query, "", ""); res.Status != 200 || res.Outcome != sdktest.Committed {
			t.Fatal(res)
		}
	}
	host.Send("POST", "/send?url=https://example.com&body=none&secret=signing&abort=yes", "", "")
	sent := host.Webhooks()
	if len(sent) != 2 || string(sent[0].Body) != "one" || sent[1].Account != "acme" || sent[1].URL != "https://example.com/hook" ||
		sent[0].ID == sent[1].ID || !strings.HasPrefix(sent[0].ID, "msg_") {
		t.Fatalf("sent %+v", sent)
	}
	if len(host.Messages("webhooks")) > 0 {
		t.Error("webhooks are messages of a handler")
	}
	for n, want := range map[int]int{0: 401, 1: 200} { // the first was signed with the secret of all
		if res := receive(host, &sent[n], host.Now, string(sent[n].Body)); res.Status != want || want == 200 && res.Text() != sent[n].ID {
			t.Errorf("webhook %d: %v", n, res)
		}
	}
	for _, c := range []struct {
		at   time.Time
		body string
		want string
	}{
		{host.Now.Add(-time.Hour), "two", webhook.ErrTime.Error()},
		{host.Now, "other", webhook.ErrSignature.Error()},
	} {
		if res := receive(host, &sent[1], c.at, c.body); res.Status != 401 || res.Text() != c.want {
			t.Errorf("%v, want %q", res, c.want)
		}
	}
	if res := host.Send("POST", "/receive", "", "two"); res.Status != 401 || res.Text() != webhook.ErrHeader.Error() {
		t.Errorf("without a signature: %v", res)
	}
}

// receive has the handler receive a webhook that is sent at a time.
func receive(host *sdktest.Host, w *sdktest.Webhook, at time.Time, body string) *sdktest.Result {
	r := httptest.NewRequest(http.MethodPost, "/receive", strings.NewReader(body))
	r.Header = w.Header(at)
	return host.Do(r)
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		change func(*sdktest.Host)
		query  string
		want   string
	}{
		{nil, "url=https://example.com&secret=other", "no such secret"},
		{nil, "url=ftp://example.com&secret=signing", "webhook send: invalid"},
		{nil, "url=http://shop.wasmoor.internal&secret=signing", "outbound.allow"},
		{func(h *sdktest.Host) { h.Public = false }, "url=https://example.com&secret=signing", "outbound.allow"},
		{func(h *sdktest.Host) { h.Queues = nil }, "url=https://example.com&secret=signing", "[queue.webhooks]"},
		{func(h *sdktest.Host) { h.Secrets["signing"] = "short" }, "url=https://example.com&secret=signing", "webhook send: invalid"},
	} {
		host := newHost()
		if c.change != nil {
			c.change(host)
		}
		if res := host.Send("POST", "/send?"+c.query, "", ""); res.Status != 422 || !strings.Contains(res.Text(), c.want) || len(host.Webhooks()) > 0 {
			t.Errorf("%s: %v, want %q", c.query, res, c.want)
		}
	}
}
