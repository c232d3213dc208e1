-- name: GetAuthor :one
SELECT * FROM authors WHERE id = ? LIMIT 1;

-- name: ListAuthors :many
SELECT * FROM authors WHERE joined >= ? ORDER BY name;

-- name: CreateAuthor :one
INSERT INTO authors (name, bio, born, score, joined) VALUES (?, ?, ?, ?, ?) RETURNING *;

-- name: RenameAuthor :exec
UPDATE authors SET name = sqlc.arg(name) WHERE id = sqlc.arg(id);

-- name: DeleteAuthors :execresult
DELETE FROM authors WHERE score IS NULL;

-- name: CountAuthors :one
SELECT count(*) AS all_authors, max(score) AS best FROM authors WHERE name IN (sqlc.slice('names'));
