package admin

import (
	"context"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

// metricsInput notes whether the client takes a compressed answer.
type metricsInput struct{ compressed bool }

// Resolve is called by huma when it has read the parameters.
func (in *metricsInput) Resolve(ctx huma.Context) []error {
	in.compressed = strings.Contains(ctx.Header("Accept-Encoding"), "gzip")
	return nil
}

type metricsOutput struct {
	ContentType     string `header:"Content-Type" hidden:"true"`
	ContentEncoding string `header:"Content-Encoding" hidden:"true"`
	Body            []byte
}

func (a *Admin) metrics(ctx context.Context, in *metricsInput) (*metricsOutput, error) {
	out := &metricsOutput{ContentType: adminapi.TypeMetrics}
	if in.compressed {
		out.ContentEncoding = "gzip"
	}
	var err error
	out.Body, err = a.cfg.Metrics.Scrape(ctx, in.compressed)
	return out, err
}

// withMetrics says in the document what the metrics are written in.
func withMetrics(op huma.Operation) huma.Operation {
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The metrics in the text format of Prometheus",
		Content:     map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	return op
}
