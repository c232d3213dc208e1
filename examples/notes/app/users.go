package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"time"
)

const (
	sessionCookie = "notes_session"
	sessionTime   = 30 * 24 * time.Hour
)

type credentials struct {
	Name     string `json:"name"`
	Password string `json:"password"`
}

var userName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,30}$`)

func (c credentials) check() error {
	if !userName.MatchString(c.Name) {
		return refuse(http.StatusUnprocessableEntity, `"name" is 2 to 31 lower-case letters, digits and "-"`)
	}
	if len(c.Password) < 8 || len(c.Password) > 256 {
		return refuse(http.StatusUnprocessableEntity, `"password" is 8 to 256 bytes long`)
	}
	return nil
}

func (s *service) signUp(w http.ResponseWriter, r *http.Request) error {
	var c credentials
	if err := decode(w, r, &c); err != nil {
		return err
	}
	if err := s.addUser(c); err != nil {
		return err
	}
	if err := s.start(w, r, c.Name); err != nil {
		return err
	}
	return write(w, http.StatusCreated, map[string]string{"name": c.Name})
}

// addUser takes a name. That nobody else takes it meanwhile is the
// transaction's business: finding it absent is a read.
func (s *service) addUser(c credentials) error {
	if err := c.check(); err != nil {
		return err
	}
	_, taken, err := s.Store.Get("users/" + c.Name)
	if err != nil {
		return err
	}
	if taken {
		return refuse(http.StatusConflict, "the name is taken")
	}
	hash, err := s.Passwords.Hash(c.Password)
	if err != nil {
		return err
	}
	return s.Store.Set("users/"+c.Name, []byte(hash), 0)
}

func (s *service) logIn(w http.ResponseWriter, r *http.Request) error {
	var c credentials
	if err := decode(w, r, &c); err != nil {
		return err
	}
	if err := s.checkUser(c); err != nil {
		return err
	}
	if err := s.start(w, r, c.Name); err != nil {
		return err
	}
	return write(w, http.StatusOK, map[string]string{"name": c.Name})
}

func (s *service) checkUser(c credentials) error {
	if err := c.check(); err != nil {
		return err
	}
	hash, found, err := s.Store.Get("users/" + c.Name)
	if err != nil {
		return err
	}
	if !found {
		// As much work as for a name that exists, so that time tells nothing.
		if _, err := s.Passwords.Hash(c.Password); err != nil {
			return err
		}
	}
	right := false
	if found {
		if right, err = s.Passwords.Verify(c.Password, string(hash)); err != nil {
			return err
		}
	}
	if !right {
		return refuse(http.StatusUnauthorized, "name or password is wrong")
	}
	return nil
}

func (s *service) logOut(w http.ResponseWriter, r *http.Request) error {
	if err := s.end(w, r); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// sessionKey is where a session is kept: under the hash of its token, so that
// who reads the store cannot use it.
func sessionKey(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "sessions/" + hex.EncodeToString(sum[:])
}

func (s *service) start(w http.ResponseWriter, r *http.Request, name string) error {
	token := rand.Text()
	http.SetCookie(w, cookie(r, token, int(sessionTime/time.Second)))
	return s.Store.Set(sessionKey(token), []byte(name), sessionTime)
}

func (s *service) end(w http.ResponseWriter, r *http.Request) error {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	http.SetCookie(w, cookie(r, "", -1))
	return s.Store.Delete(sessionKey(c.Value))
}

func cookie(r *http.Request, token string, age int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // not Secure where the service itself is not, as on the author's machine
		Name: sessionCookie, Value: token, MaxAge: age, Path: "/",
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
	}
}

// sessionOf returns whose session the request is in, "" if in none.
func (s *service) sessionOf(r *http.Request) (string, error) {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return "", nil
	}
	name, _, err := s.Store.Get(sessionKey(c.Value))
	return string(name), err
}

func (s *service) loggedIn(next http.Handler) http.Handler {
	return answer(func(w http.ResponseWriter, r *http.Request) error {
		name, err := s.sessionOf(r)
		if err != nil {
			return err
		}
		if name == "" {
			return refuse(http.StatusUnauthorized, "log in first: POST api/session")
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, name)))
		return nil
	})
}
