package main

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/dsa"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/md5"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/rc4"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"hash"
	"hash/adler32"
	"hash/crc32"
	"hash/crc64"
	"hash/fnv"
	"hash/maphash"
	"math/big"
	"net"
	"time"
)

var key16 = []byte("0123456789abcdef")

// certificate is one of its own, for an Ed25519 key.
func certificate() (tls.Certificate, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a"}, DNSNames: []string{"a"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, err
}

func overTLS() error {
	cert, err := certificate()
	if err != nil {
		return err
	}
	a, b := net.Pipe()
	server := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{cert}})
	failed := make(chan error, 1)
	go func() {
		_, err := server.Write([]byte("hello"))
		failed <- err
	}()
	got := make([]byte, 5)
	_, err = tls.Client(b, &tls.Config{InsecureSkipVerify: true}).Read(got)
	return first(err, <-failed, same(string(got), "hello"))
}

func sum(h hash.Hash) string {
	h.Write([]byte("a"))
	return fmt.Sprintf("%x", h.Sum(nil))[:8]
}

func init() {
	use(map[string]func() error{
		"crypto":     func() error { return same(sum(crypto.SHA256.New()), "ca978112") },
		"crypto/aes": func() error { _, err := aes.NewCipher(key16); return err },
		"crypto/cipher": func() error {
			block, _ := aes.NewCipher(key16)
			seal, err := cipher.NewGCMWithRandomNonce(block)
			if err != nil {
				return err
			}
			plain, err := seal.Open(nil, nil, seal.Seal(nil, nil, []byte("a"), nil), nil)
			return first(err, same(string(plain), "a"))
		},
		"crypto/des": func() error { _, err := des.NewCipher(key16[:8]); return err },
		"crypto/dsa": func() error {
			return same(dsa.Verify(&dsa.PublicKey{Parameters: dsa.Parameters{P: big.NewInt(0)}}, nil, nil, nil), false)
		},
		"crypto/ecdh": func() error {
			k, err := ecdh.X25519().GenerateKey(rand.Reader)
			if err != nil {
				return err
			}
			_, err = k.ECDH(k.PublicKey())
			return err
		},
		"crypto/ecdsa": func() error {
			k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				return err
			}
			digest := sha256.Sum256(nil)
			signature, err := ecdsa.SignASN1(rand.Reader, k, digest[:])
			return first(err, same(ecdsa.VerifyASN1(&k.PublicKey, digest[:], signature), true))
		},
		"crypto/ed25519": func() error {
			public, private, err := ed25519.GenerateKey(rand.Reader)
			return first(err, same(ed25519.Verify(public, key16, ed25519.Sign(private, key16)), true))
		},
		"crypto/elliptic": func() error { return same(elliptic.P384().Params().BitSize, 384) },
		"crypto/fips140":  func() error { return same(fips140.Enabled(), false) },
		"crypto/hkdf":     func() error { _, err := hkdf.Key(sha256.New, key16, nil, "", 32); return err },
		"crypto/hmac":     func() error { return same(sum(hmac.New(sha256.New, key16)) != "", true) },
		"crypto/hpke": func() error {
			k, err := hpke.DHKEM(ecdh.X25519()).GenerateKey()
			if err != nil {
				return err
			}
			sealed, err := hpke.Seal(k.PublicKey(), hpke.HKDFSHA256(), hpke.AES128GCM(), nil, []byte("a"))
			if err != nil {
				return err
			}
			plain, err := hpke.Open(k, hpke.HKDFSHA256(), hpke.AES128GCM(), nil, sealed)
			return first(err, same(string(plain), "a"))
		},
		"crypto/md5": func() error { return same(sum(md5.New()), "0cc175b9") },
		"crypto/mlkem": func() error {
			k, err := mlkem.GenerateKey768()
			if err != nil {
				return err
			}
			shared, sealed := k.EncapsulationKey().Encapsulate()
			opened, err := k.Decapsulate(sealed)
			return first(err, same(bytes.Equal(shared, opened), true))
		},
		"crypto/mlkem/mlkemtest": func() error {
			k, err := mlkem.GenerateKey768()
			if err != nil {
				return err
			}
			_, _, err = mlkemtest.Encapsulate768(k.EncapsulationKey(), make([]byte, 32))
			return err
		},
		"crypto/pbkdf2": func() error { _, err := pbkdf2.Key(sha256.New, "a", key16, 10, 32); return err },
		"crypto/rand":   func() error { _, err := rand.Read(make([]byte, 8)); return first(err, same(len(rand.Text()), 26)) },
		"crypto/rc4":    func() error { _, err := rc4.NewCipher(key16); return err },
		"crypto/rsa": func() error {
			k, err := rsa.GenerateKey(rand.Reader, 1024)
			if err != nil {
				return err
			}
			_, err = rsa.SignPSS(rand.Reader, k, crypto.SHA256, make([]byte, 32), nil)
			return err
		},
		"crypto/sha1":   func() error { return same(sum(sha1.New()), "86f7e437") },
		"crypto/sha256": func() error { return same(sum(sha256.New()), "ca978112") },
		"crypto/sha3":   func() error { return same(sum(sha3.New256()), "80084bf2") },
		"crypto/sha512": func() error { return same(sum(sha512.New()), "1f40fc92") },
		"crypto/subtle": func() error { return same(subtle.ConstantTimeCompare(key16, key16), 1) },
		"crypto/tls":    overTLS,
		"crypto/x509": func() error {
			cert, err := certificate()
			if err != nil {
				return err
			}
			parsed, err := x509.ParseCertificate(cert.Certificate[0])
			return first(err, parsed.VerifyHostname("a"))
		},
		"crypto/x509/pkix": func() error { return same(pkix.Name{CommonName: "a"}, "CN=a") },
		"hash":             func() error { var h hash.Hash = fnv.New32(); return same(h.Size(), 4) },
		"hash/adler32":     func() error { return same(adler32.Checksum([]byte("a")), 6422626) },
		"hash/crc32":       func() error { return same(crc32.ChecksumIEEE([]byte("a")), 3904355907) },
		"hash/crc64":       func() error { return same(crc64.New(crc64.MakeTable(crc64.ISO)).Size(), 8) },
		"hash/fnv":         func() error { return same(sum(fnv.New64a()) != "", true) },
		"hash/maphash": func() error {
			seed := maphash.MakeSeed()
			return same(maphash.String(seed, "a") == maphash.String(seed, "a"), true)
		},
	})
}
