package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// title returns the title of a book, "" for the ISBN "".
func (s *service) title(ctx context.Context, isbn string) (string, error) {
	if isbn == "" {
		return "", nil
	}
	library, err := s.Library()
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, library+"/isbn/"+isbn+".json", nil)
	if err != nil {
		return "", err
	}
	resp, err := s.Client.Do(req)
	if err != nil {
		return "", fmt.Errorf("ask for a book: %w", err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return "", refuse(http.StatusUnprocessableEntity, "no book has this ISBN")
	default:
		return "", refuse(http.StatusBadGateway, "the library does not answer; try later")
	}
	var book struct {
		Title string `json:"title"`
	}
	return book.Title, json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&book)
}
