package service

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

func TestCounts(t *testing.T) {
	var c Counts
	stock := c.Of("stock")
	for range 3 {
		stock.add(204, "")
	}
	c.Of("stock").add(404, "")
	stock.add(503, string(fault.Unavailable))
	stock.add(404, string(fault.NotFound))
	stock.add(0, ended)
	c.Of("mail")
	var nothing *Counts
	nothing.Of("stock").add(200, "")
	nothing.Each(nil)
	got := map[string]int64{}
	c.Each(func(name, outcome, class string, n int64) { got[name+" "+outcome+" "+class] = n })
	want := map[string]int64{
		"stock answered 2xx": 3, "stock answered 4xx": 1, "stock unavailable ": 1, "stock other ": 1, "stock ended ": 1, "mail answered 2xx": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCountsAreBounded(t *testing.T) {
	var c Counts
	for i := range 10 * maxNames {
		c.Of(fmt.Sprint(i)).add(200, "")
	}
	names := map[string]int64{}
	c.Each(func(name, _, _ string, n int64) { names[name] += n })
	if len(names) != maxNames+1 || names[otherNames] != 9*maxNames {
		t.Errorf("%d names, %d calls by others", len(names), names[otherNames])
	}
}
