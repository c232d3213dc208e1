package blobs_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/blobs"
	"github.com/wasmoor/wasmoor/sdk/fetch"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

// in returns a host whose handler is the one that do points to.
func in(do *func(w *sdk.Response) error) *sdktest.Host {
	return sdktest.New(func(w *sdk.Response, _ *sdk.Request) error { return (*do)(w) })
}

func TestPutAndRead(t *testing.T) {
	var do func(w *sdk.Response) error
	host := in(&do)
	host.Upstream("http://upstream/large", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), 200_000))
	}))
	do = func(*sdk.Response) error {
		response, err := fetch.Get("http://upstream/large")
		if err != nil {
			return err
		}
		fetched, err1 := blobs.PutFrom("d", response, blobs.Options{})
		body, err2 := blobs.PutBody("b", blobs.Options{Type: "text/plain"})
		pieces, err3 := blobs.PutFrom("c", iotest.OneByteReader(strings.NewReader("in pieces")), blobs.Options{})
		if fetched != 200_000 || body != 8 || pieces != 9 {
			t.Errorf("sizes: %d, %d, %d", fetched, body, pieces)
		}
		return errors.Join(err1, err2, err3, blobs.Put("a", []byte("all at once"), blobs.Options{Type: "text/css", Metadata: []byte("m")}))
	}
	if res := host.Send("PUT", "/", "", "the body"); res.Status != 200 || res.Outcome != sdktest.Committed {
		t.Fatal(res)
	}
	do = func(*sdk.Response) error {
		info, ok, err := blobs.Stat("a")
		if err != nil || !ok || info.Size != 11 || info.Type != "text/css" || string(info.Metadata) != "m" || info.Digest != sha256.Sum256([]byte("all at once")) || !info.Created.Equal(host.Now) {
			t.Errorf("stat: %+v, %v, %v", info, ok, err)
		}
		if _, ok, err := blobs.Stat("none"); ok || err != nil {
			t.Errorf("a name that is not there: %v, %v", ok, err)
		}
		r, err := blobs.Open("c")
		if err != nil {
			return err
		}
		if err := iotest.TestReader(r, []byte("in pieces")); err != nil {
			t.Error(err)
		}
		if _, err := blobs.Open("none"); !errors.Is(err, blobs.ErrNotFound) {
			t.Errorf("open: %v", err)
		}
		large, err := blobs.Open("d")
		if err != nil {
			return err
		}
		if n, err := io.Copy(io.Discard, large); n != 200_000 || err != nil {
			t.Errorf("read %d, %v", n, err)
		}
		return errors.Join(large.Close(), blobs.Delete("b"), blobs.Delete("none"))
	}
	if res := host.Get("/"); res.Status != 200 {
		t.Fatal(res)
	}
	if got := fmt.Sprint(host.Blobs.Names("")); got != "[a c d]" {
		t.Errorf("the names are %s", got)
	}
}

func TestAll(t *testing.T) {
	var do func(w *sdk.Response) error
	host := in(&do)
	for i := range 300 { // some pages
		host.Blobs.Put(fmt.Sprintf("n/%03d", i), sdktest.Blob{Data: []byte("x"), Metadata: make([]byte, 100)})
	}
	host.Blobs.Put("other", sdktest.Blob{})
	do = func(*sdk.Response) error {
		for _, q := range []blobs.Query{{Prefix: "n/"}, {Prefix: "n/", Reverse: true}, {Prefix: "n/", After: "n/199"}} {
			n, last := 0, ""
			for info, err := range blobs.All(q) {
				if err != nil {
					return err
				}
				if n > 0 && (info.Name > last) == q.Reverse || info.Size != 1 {
					t.Errorf("%+v after %s", info, last)
				}
				n, last = n+1, info.Name
			}
			if want := map[bool]int{true: 300, false: 100}[q.After == ""]; n != want {
				t.Errorf("%+v: %d names, want %d", q, n, want)
			}
		}
		for range blobs.All(blobs.Query{}) {
			break
		}
		return nil
	}
	if res := host.Get("/"); res.Status != 200 {
		t.Fatal(res)
	}
}

func TestAnswer(t *testing.T) {
	var do func(w *sdk.Response) error
	host := in(&do)
	host.Blobs.Put("a", sdktest.Blob{Type: "text/plain", Data: []byte("text")})
	do = func(*sdk.Response) error { return blobs.Answer("a", blobs.Attachment("r\u00e9\"s 1.txt")) }
	res := host.Get("/")
	if res.Status != 200 || res.Text() != "text" || res.Header.Get("Content-Type") != "text/plain" || res.Header.Get("Etag") == "" ||
		!strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment; filename*=UTF-8''r") {
		t.Errorf("got %v, %v", res, res.Header)
	}
}

func TestErrors(t *testing.T) {
	var do func(w *sdk.Response) error
	host := in(&do)
	host.NoBlobs = true
	do = func(*sdk.Response) error {
		err := blobs.Put("a", nil, blobs.Options{})
		if !errors.Is(err, blobs.ErrDenied) || !strings.Contains(err.Error(), "add the line [blobs]") {
			t.Errorf("got %v", err)
		}
		return nil
	}
	host.Get("/")
	host.NoBlobs, host.Blobs.Bytes = false, 3
	host.Blobs.Put("there", sdktest.Blob{})
	do = func(*sdk.Response) error {
		if err := blobs.Put("a", []byte("four"), blobs.Options{}); !errors.Is(err, blobs.ErrLimit) {
			t.Errorf("over the quota: %v", err)
		}
		long := strings.Repeat("x", 3000)
		for want, err := range map[string]error{
			"the quota of [blobs] is used up":                               blobs.Put("a", []byte("four"), blobs.Options{}),
			"or the name with 3000 bytes,":                                  blobs.Put(long, nil, blobs.Options{}),
			"the type with 3000 bytes or":                                   blobs.Put("a", nil, blobs.Options{Type: long}),
			"the metadata with 3000 bytes is too":                           blobs.Put("a", nil, blobs.Options{Metadata: []byte(long)}),
			"limit: the name with 5 bytes or the disposition with 3000":     blobs.Answer("there", long),
			"limit: the name is too long":                                   blobs.Delete(long),
			"limit: the prefix with 3000 bytes or the name to go on after ": first(blobs.Query{Prefix: long}),
			"the name to go on after with 3000 bytes is too long":           first(blobs.Query{After: long}),
			"limit: too many writers have not ended":                        ninth(),
		} {
			if !errors.Is(err, blobs.ErrLimit) || !strings.Contains(err.Error(), want) || len(err.Error()) > 400 {
				t.Errorf("got %.400v, want %q", err, want)
			}
		}
		broken := errors.New("broken")
		for range 20 { // none is left
			if _, err := blobs.PutFrom("a", iotest.ErrReader(broken), blobs.Options{}); !errors.Is(err, broken) {
				t.Errorf("a reader that fails: %v", err)
			}
		}
		return blobs.Put("a", []byte("ok"), blobs.Options{})
	}
	if res := host.Get("/"); res.Status != 200 {
		t.Error(res)
	}
}

// first returns the error of a list.
func first(q blobs.Query) error {
	for _, err := range blobs.All(q) {
		return err
	}
	return nil
}

// ninth returns the error of a writer too many.
func ninth() error {
	for range 8 {
		w, err := blobs.Create()
		if err != nil {
			return nil
		}
		defer w.Drop()
	}
	_, err := blobs.Create()
	return err
}
