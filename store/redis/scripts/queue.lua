-- Lists requests in which one of several parties has a say, the earliest deadline first.
--
-- KEYS  1... indexes of requests, scored by deadline
-- ARGV  1 prefix of all keys   2 most
-- Answer  { how many are left out at the least, line, line, ... }
--         a line: the id, and the field projected as `say` beside the request's body

local most = tonumber(ARGV[2])
local deadlines = {}
local ids = {}
local left = 0
for _, index in ipairs(KEYS) do
  local found = redis.call('ZRANGE', index, 0, most - 1, 'WITHSCORES')
  left = math.max(left, redis.call('ZCARD', index) - most)
  for at = 1, #found, 2 do
    if not deadlines[found[at]] then
      deadlines[found[at]] = tonumber(found[at + 1])
      ids[#ids + 1] = found[at]
    end
  end
end
table.sort(ids, function(one, other)
  if deadlines[one] ~= deadlines[other] then return deadlines[one] < deadlines[other] end
  return one < other
end)
local lines = { math.max(left, #ids - most, 0) }
for at = 1, math.min(#ids, most) do
  lines[at + 1] = ids[at] .. ' ' .. (redis.call('HGET', ARGV[1] .. 'request:' .. ids[at], 'say') or '')
end
return lines
