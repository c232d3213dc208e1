package badger

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t testing.TB, dir string, o storetest.Options) store.Store {
		s, err := Open(Config{Dir: dir, WindowKeys: o.Window, Reserve: -1})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
