package admin

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/auth"
)

// TestOperatingTableIsTheRouteTable: the document for operators says of each
// operation which role it takes, as the route table does.
func TestOperatingTableIsTheRouteTable(t *testing.T) {
	data, err := os.ReadFile("../../../docs/OPERATING.md")
	if err != nil {
		t.Fatal(err)
	}
	doc, _ := document(t, adminFor(t, &recorder{}))
	rows := map[string][]string{}
	for _, methods := range doc.Paths {
		for _, raw := range methods {
			var op struct {
				ID      string `json:"operationId"`
				Summary string `json:"summary"`
				Role    string `json:"x-role"`
				Plugins string `json:"x-plugins"`
			}
			if err := json.Unmarshal(raw, &op); err != nil {
				t.Fatal(err)
			}
			rows[op.Role] = append(rows[op.Role], fmt.Sprintf("| %s | `%s` | %s | %s |\n", op.Role, op.ID, op.Summary, op.Plugins))
		}
	}
	var want strings.Builder
	for _, role := range slices.Concat([]auth.Role{auth.Nobody}, auth.Roles) {
		slices.Sort(rows[role.String()])
		want.WriteString(strings.Join(rows[role.String()], ""))
	}
	const head = "| role | operation | what it does | plugins |\n|---|---|---|---|\n"
	_, rest, _ := strings.Cut(string(data), head)
	if got, _, _ := strings.Cut(rest, "\n\n"); strings.TrimRight(got, "\n")+"\n" != want.String() {
		t.Errorf("the table of \"Who may do what\" in OPERATING.md is not that of the routes; replace it by:\n%s%s", head, want.String())
	}
}
