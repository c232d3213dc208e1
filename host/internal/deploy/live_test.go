package deploy

import "testing"

func TestPick(t *testing.T) {
	alone := shares{{weight: 1}}
	if alone.pick() != alone.main() {
		t.Error("the only one is not picked")
	}
	if n := testing.AllocsPerRun(100, func() { alone.pick() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	s, picked := shares{{weight: 90}, {weight: 0}, {weight: 10}}, map[*share]int{}
	const draws = 10_000
	for range draws {
		picked[s.pick()]++
	}
	for i := range s {
		got, want := picked[&s[i]], draws*s[i].weight/100
		if got < want-draws/20 || got > want+draws/20 || want == 0 && got != 0 {
			t.Errorf("the one of weight %d is picked %d times of %d", s[i].weight, got, draws)
		}
	}
}
