// Package spelling finds the name that somebody meant to type. Whoever reports an
// unknown name may import it.
package spelling

// Nearest returns the name that word is most likely a typing error of, "" when none
// is near: two letters that changed places are a distance of 2. A word of any
// length costs little.
func Nearest(word string, names []string) string {
	best, distance := "", 1+max(len(word)/3, min(2, len(word)/2))
	for _, name := range names {
		if d := editDistance(word, name, distance); d < distance {
			best, distance = name, d
		}
	}
	return best
}

// editDistance returns the Levenshtein distance of a and b in bytes, or bound
// if it is at least that. Keys of any length cost little: the difference of the
// lengths is checked first.
func editDistance(a, b string, bound int) int {
	if len(a)-len(b) >= bound || len(b)-len(a) >= bound {
		return bound
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return min(row[len(b)], bound)
}
