/* SPDX-License-Identifier: MIT */
/* Test that virtual calls, and exceptions through many frames, rethrown, nested and in threads,
 * take their ways. */
#include "tests/guest/guest.h"

#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static int destroyed;

struct Counted {
    ~Counted()
    {
        destroyed++;
    }
};

struct Shape {
    virtual ~Shape() = default;
    virtual long area() const = 0;
};
struct Square : Shape {
    long side;
    explicit Square(long s) : side(s)
    {
    }
    long area() const override
    {
        return side * side;
    }
};
struct Other {
    virtual ~Other() = default;
    virtual long other() const
    {
        return 1;
    }
};
struct Both : Square, virtual Other {
    using Square::Square;
    long area() const override
    {
        return side * 3 + other();
    }
    long other() const override
    {
        return 1000;
    }
};

__attribute__((noinline)) static int descend(int depth, int kind)
{
    Counted counted;
    if (depth == 0) {
        if (kind == 0)
            throw std::runtime_error("deep");
        if (kind == 1)
            throw 42;
        throw std::string("text");
    }
    return descend(depth - 1, kind) + 1;
}

static std::string caught(int depth, int kind)
{
    try {
        descend(depth, kind);
    } catch (const std::exception &error) {
        return error.what();
    } catch (int number) {
        return std::to_string(number);
    } catch (...) {
        try {
            throw;
        } catch (const std::string &text) {
            return "rethrown " + text;
        }
    }
    return "nothing";
}

static int filtered(int depth) noexcept
{
    try {
        try {
            descend(depth, 1);
        } catch (const std::string &) {
            return -1;
        }
    } catch (int number) {
        try {
            throw std::logic_error("inner");
        } catch (const std::logic_error &) {
            return number;
        }
    }
    return -2;
}

static void in_threads()
{
    std::vector<std::thread> threads;
    std::vector<std::exception_ptr> errors(4);
    for (int i = 0; i < 4; i++)
        threads.emplace_back([i, &errors] {
            for (int round = 0; round < 20; round++) {
                try {
                    descend(20 + i, round % 3);
                } catch (...) {
                    errors[i] = std::current_exception();
                }
            }
        });
    for (auto &thread : threads)
        thread.join();
    for (auto &error : errors) {
        try {
            std::rethrow_exception(error);
        } catch (int number) {
            CHECK_EQUAL(number, 42);
        }
    }
}

int main()
{
    std::vector<std::unique_ptr<Shape>> shapes;
    for (long i = 0; i < 100; i++)
        shapes.emplace_back(i % 3 ? static_cast<Shape *>(new Square(i)) : new Both(i));
    long sum = 0;
    for (int round = 0; round < 20; round++)
        for (const auto &shape : shapes)
            sum += shape->area() + (dynamic_cast<Other *>(shape.get()) != nullptr);
    printf("areas %ld\n", sum);
    for (int i = 0; i < 60; i++)
        printf("%s%s", caught(i, i % 3).c_str(), i % 6 == 5 ? "\n" : ", ");
    CHECK_EQUAL(destroyed, 60 * 61 / 2);
    CHECK_EQUAL(filtered(15), 42);
    destroyed = 0;
    in_threads();
    std::function<int(int)> factorial = [&](int n) { return n < 2 ? 1 : n * factorial(n - 1); };
    CHECK_EQUAL(factorial(10), 3628800);
    puts("exceptions");
    return 0;
}
