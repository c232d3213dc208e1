package linear

// noReserve is what mappings are on this system.
const noReserve = 0
