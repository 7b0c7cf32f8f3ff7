package value

// A list is what an array holds. It stands where the reader of an object does,
// and reads as an object without members.
type list []Value

// noItems is the empty array.
var noItems = new(list)

// Get implements [Object].
func (*list) Get(string) Value { return Nothing }

// Range implements [Object].
func (*list) Range(func(string, Value) bool) {}
