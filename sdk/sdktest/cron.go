package sdktest

import (
	"net/http/httptest"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

// Tick has the request of a schedule made, whose time is Now. It returns the handler's
// response. As at the real host an answer other than 2xx has no effects. A schedule that
// Crons does not have panics.
func (h *Host) Tick(name string) *Result {
	due := strconv.FormatInt(h.Now.UnixMilli(), 10)
	method, path, ok := strings.Cut(h.Crons[name], " ")
	if !ok {
		panic("sdktest: Crons has no request like \"POST /tasks/cleanup\" for the schedule " + name)
	}
	trigger, attributes := h.Trigger, h.Attributes
	defer func() { h.Trigger, h.Attributes = trigger, attributes }()
	h.Trigger = abi.TriggerCron
	h.Attributes = map[string]string{"cron.name": name, "cron.id": name + "-" + due, "cron.due": due, "cron.attempt": "1"}
	return h.do(httptest.NewRequest(method, path, nil), func(status int) bool { return status/100 != 2 })
}
