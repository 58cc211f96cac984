--+ world ended
-- Commits all of it, or nothing. Its only rule is "if nobody moved it".
--
-- KEYS  1 command:C   2 audit   3 audit:number   4... what the operations name
-- ARGV  1 skew, ms   2 good until, ms (0: no bound)   3 good from, ms   4 fingerprint   5 answer
--       6 how long the answer is kept, s   7 the operations, of each its name, the index of its first key and how many arguments it has
--       8... their arguments
-- Answer  { 'ok' }   { 'seen', fingerprint, answer }   { 'late', world }   { 'moved', world }
--
--   else   request, debt, policy        prefix, most      the world to answer with where nothing is committed
--   guard  key                          version               nothing is written, but it must not have moved
--   write  key                          version body field value ...   version 0: must not be there yet
--   set    key                          body                  a body that never changes: must not be there yet
--   swap   key                          old body              a body without a version: must still be the old one
--   fill   key                          field value ...       fields of a hash
--   adopt  key, key                                           the fields of the first move into the second, where it has none such
--   omit   key                          field ...             these fields of a hash leave
--   expire key                          ms                    and is gone by itself after so long
--   drop   key
--   rank   zset                         member score
--   unrank zset                         member ...            these members leave
--   put    lane, effect                 member body           coalesces; counts a generation
--   settle lane, effect                 member generation fence again   ends a claim, as `ended`; a lost one is lost, and the rest is committed
--   audit  (audit)                      entry
-- Two passes: every guard before any write, because a script that fails half-way is not rolled back.

local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1])
local seen = redis.call('HMGET', KEYS[1], 'fingerprint', 'answer')
if seen[1] then return { 'seen', seen[1], seen[2] } end

local function each(visit)
  local first = 8
  for name, key, count in string.gmatch(ARGV[7], '(%a+) (%d+) (%d+)') do
    visit(name, tonumber(key), first, first + count - 1)
    first = first + count
  end
end

local function nothing(why)
  local found = false
  each(function(name, key, first)
    if name == 'else' then
      found = world(now, KEYS[key], KEYS[key + 1], KEYS[key + 2], KEYS[1], ARGV[first], tonumber(ARGV[first + 1]))
    end
  end)
  return { why, found }
end

local late = tonumber(ARGV[2]) > 0 and tonumber(now) >= tonumber(ARGV[2])
if late or tonumber(now) < tonumber(ARGV[3]) then return nothing('late') end
local moved = false
each(function(name, key, first)
  if name == 'guard' or name == 'write' then
    moved = moved or (redis.call('HGET', KEYS[key], 'version') or '0') ~= ARGV[first]
  elseif name == 'set' then
    moved = moved or redis.call('EXISTS', KEYS[key]) == 1
  elseif name == 'swap' then
    moved = moved or redis.call('GET', KEYS[key]) ~= ARGV[first]
  end
end)
if moved then return nothing('moved') end

each(function(name, key, first, last)
  if name == 'write' then
    redis.call('HSET', KEYS[key], 'version', ARGV[first] + 1, 'body', unpack(ARGV, first + 1, last))
  elseif name == 'set' then
    redis.call('SET', KEYS[key], ARGV[first])
  elseif name == 'swap' then
    redis.call('SET', KEYS[key], ARGV[first + 1])
  elseif name == 'fill' then
    redis.call('HSET', KEYS[key], unpack(ARGV, first, last))
  elseif name == 'adopt' then
    local fields = redis.call('HGETALL', KEYS[key])
    for at = 1, #fields, 2 do redis.call('HSETNX', KEYS[key + 1], fields[at], fields[at + 1]) end
    redis.call('DEL', KEYS[key])
  elseif name == 'omit' then
    redis.call('HDEL', KEYS[key], unpack(ARGV, first, last))
  elseif name == 'expire' then
    redis.call('PEXPIRE', KEYS[key], ARGV[first])
  elseif name == 'drop' then
    redis.call('DEL', KEYS[key])
  elseif name == 'rank' then
    redis.call('ZADD', KEYS[key], ARGV[first + 1], ARGV[first])
  elseif name == 'unrank' then
    redis.call('ZREM', KEYS[key], unpack(ARGV, first, last))
  elseif name == 'put' then
    -- Counted by hand: what is no number there must not break off a commit of which a part is written.
    local generation = string.match(redis.call('HGET', KEYS[key + 1], 'generation') or '', '^%d+$') or 0
    redis.call('HSET', KEYS[key + 1], 'body', ARGV[first + 1], 'generation', generation + 1, 'attempts', 0, 'since', now)
    -- What is in hand stays in that hand: it is settled as "again", or its lease ends.
    local leased = redis.call('HGET', KEYS[key + 1], 'leased')
    if (tonumber(leased or '') or 0) <= tonumber(now) then redis.call('ZADD', KEYS[key], now, ARGV[first]) end
  elseif name == 'settle' then
    ended(KEYS[key], KEYS[key + 1], tonumber(now), ARGV[first], ARGV[first + 1], ARGV[first + 2], ARGV[first + 3])
  elseif name == 'audit' then
    redis.call('XADD', KEYS[2], redis.call('INCR', KEYS[3]) .. '-0', 'entry', ARGV[first])
  end
end)
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[4], 'answer', ARGV[5])
redis.call('EXPIRE', KEYS[1], ARGV[6])
return { 'ok' }
