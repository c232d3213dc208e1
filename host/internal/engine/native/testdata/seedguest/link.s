// Lets a function have no body: it is linked to one of the runtime's.
