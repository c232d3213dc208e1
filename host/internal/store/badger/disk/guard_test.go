package disk

import "testing"

func TestFreeSpace(t *testing.T) {
	free, err := Free(t.TempDir())
	if err != nil || free <= 0 {
		t.Errorf("Free = %d, %v", free, err)
	}
	g := NewGuard(Config{Dir: t.TempDir(), MinFree: -1})
	if g.Open() != nil || g.Admit(false, 1<<40) != nil || g.Health() != nil {
		t.Error("a guard that is off refuses something")
	}
}
