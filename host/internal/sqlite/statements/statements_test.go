package statements

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitter(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
		rest       string
	}{
		{"one after the other", "SELECT 1; SELECT 2;\n", []string{"SELECT 1;", "SELECT 2;"}, ""},
		{"no end", "SELECT 1;\n SELECT 2", []string{"SELECT 1;"}, "SELECT 2"},
		{"quotes", `SELECT ';', "a;""b", [;], ` + "`;`" + `, 'it''s;';x`, []string{`SELECT ';', "a;""b", [;], ` + "`;`" + `, 'it''s;';`}, "x"},
		{"comments", "-- a; 'b\nSELECT /* ; ' */ 1 -- ;\n;/* only; */ -- this", []string{"-- a; 'b\nSELECT /* ; ' */ 1 -- ;\n;"}, ""},
		{"a comment of one sign", "SELECT 1 /*/ ; */;2", []string{"SELECT 1 /*/ ; */;"}, "2"},
		{"signs that begin none", "SELECT 3 - -2 / 1;", []string{"SELECT 3 - -2 / 1;"}, ""},
		{
			"trigger", "create temp trigger t after insert on a begin\n select case when 1 then 2 end;\n update a set b = ';' /* end; */;\nend;SELECT 1;",
			[]string{"create temp trigger t after insert on a begin\n select case when 1 then 2 end;\n update a set b = ';' /* end; */;\nend;", "SELECT 1;"},
			"",
		},
		{"a table of that name", "CREATE TABLE trigger (a); SELECT 1;", []string{"CREATE TABLE trigger (a);", "SELECT 1;"}, ""},
		{"only blanks", " \n\t", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1, 3, len(tt.text)} { // of pieces
				var s Splitter
				var got []string
				for rest := tt.text; rest != ""; rest = rest[min(size, len(rest)):] {
					got = append(got, s.Add(rest[:min(size, len(rest))])...)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" || s.Rest() != tt.rest {
					t.Errorf("in pieces of %d, rest %q (-want +got):\n%s", size, s.Rest(), diff)
				}
			}
		})
	}
}
